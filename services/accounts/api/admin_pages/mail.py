"""The mail queue: why a mail does not come, and parked mail to send again or to discard."""

import uuid
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from accounts.api.account_pages.filters import Filters
from accounts.api.account_pages.navigation import NavItem
from accounts.api.account_pages.paths import ADMIN
from accounts.api.account_pages.redirects import redirect
from accounts.api.account_pages.render import render_page
from accounts.api.admin_pages.mail_words import limit_name, mail_words
from accounts.api.admin_pages.queries import OptionalText
from accounts.api.dependencies import DbDep, UserManagerDep
from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.identity.users import UserManager
from accounts.domain.mail.recipients import list_mails_to_address
from accounts.domain.parked_mail import COUNTED, ParkedMailManager
from accounts.domain.rate_limits.counting import list_mail_limits
from accounts.schemas.pagination import PageQuery
from accounts.settings import Settings
from accounts.translations import N_

QUEUE = f"{ADMIN}/mail"
router = APIRouter(prefix=QUEUE)
NAV = (NavItem("/mail", N_("Mail"), N_("See why a mail doesn't come, and send parked mail again.")),)
DONE = {
    "mail-retried": N_("The worker sends it again within seconds. If it fails, it comes back here."),
    "mail-discarded": N_("The mail was deleted."),
    "mail-not-parked": N_("The mail isn't parked any more. Nothing was changed."),
}


class MailSearch(Filters):
    """The address that mail is searched for."""

    q: OptionalText = None


class RetryForm(BaseModel):
    """The mail to send now; all of the parked mail without one. And the address that mail was searched for."""

    mail: uuid.UUID | None = None
    q: OptionalText = None


@router.get("")
async def mail_page(
    request: Request, db: DbDep, users: UserManagerDep, query: Annotated[MailSearch, Query()]
) -> Response:
    """Count the mail in the queue, list the parked mail, and explain what happens to mail to an address."""
    queue = ParkedMailManager(db)
    return render_page(
        request,
        "admin/mail",
        query.status,
        failure=query.failure(request),
        counts=await queue.count(),
        counted=COUNTED,
        parked=await queue.list_parked(PageQuery(limit=query.limit, cursor=query.cursor)),
        address=await _address(query.q, db, users, request.state.settings) if query.q else None,
        q=query.q,
        queue_url=QUEUE,
        **mail_words(),
    )


@router.post("/retry")
async def retry_mail(form: Annotated[RetryForm, Form()], db: DbDep) -> Response:
    """Send a mail now that was parked or waits for its next attempt, or all parked mail."""
    queue = ParkedMailManager(db)
    retried = await queue.retry(form.mail) if form.mail else await queue.retry_all()
    return redirect(QUEUE, q=form.q, done="mail-retried" if retried else "mail-not-parked")


@router.get("/{mail_id:uuid}")
async def one_mail_page(request: Request, db: DbDep, mail_id: uuid.UUID) -> Response:
    """Show one mail, and what can be done with it."""
    return render_page(
        request, "admin/mail-item", mail=await ParkedMailManager(db).get(mail_id), queue_url=QUEUE, **mail_words()
    )


@router.post("/{mail_id:uuid}/discard")
async def discard_mail(db: DbDep, mail_id: uuid.UUID) -> Response:
    """Delete a parked mail."""
    discarded = await ParkedMailManager(db).discard(mail_id)
    return redirect(QUEUE, done="mail-discarded" if discarded else "mail-not-parked")


async def _address(email: str, db: Session, users: UserManager, settings: Settings) -> dict[str, Any]:
    """Return what is stored about mail to an address: the account, queued mail, and exhausted limits."""
    try:
        account = await users.get_by_email(email)
    except errors.UserNotFound:
        account = None
    limits = await list_mail_limits(db, email, scale=settings.limit_scale)
    return {
        "account": account,
        "mails": await list_mails_to_address(db, email),
        "limits": [(limit_name(name), timedelta(seconds=seconds)) for name, seconds in limits.items()],
    }
