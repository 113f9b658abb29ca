"""The page of each action on a user: it says what happens, and has the button that does it."""

import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from accounts.api.account_pages.messages import MESSAGES
from accounts.api.account_pages.paths import ADMIN
from accounts.api.account_pages.redirects import redirect
from accounts.api.account_pages.render import Failure, render_page, request_language
from accounts.api.admin_pages.access import CurrentSuperuser
from accounts.api.admin_pages.user_action_table import ACTIONS, Action, Managers
from accounts.api.authentication import CurrentSession
from accounts.api.dependencies import FactorManagerDep, MemberManagerDep, UserManagerDep, UserSupportDep
from accounts.domain import errors
from accounts.domain.groups.members import MemberManager
from accounts.domain.last_owner import list_solely_owned
from accounts.models import Role, User
from accounts.schemas.fields import MAX_RAW_LENGTH
from accounts.translations import N_

router = APIRouter(prefix=ADMIN)
DONE = {
    "user-activated": N_("The user was activated."),
    "user-verified": N_("The email address counts as confirmed."),
    "password-required": N_("The password no longer works, and the user was signed out on all devices."),
    "user-signed-out": N_("The user was signed out on all devices."),
    "factors-reset": N_("The second factors were removed, and the user was signed out on all devices."),
    "keys-revoked": N_("All access tokens of the user were revoked."),
    "superuser-granted": N_("The user is a superuser now."),
    "superuser-revoked": N_("The user is no longer a superuser."),
    "user-deactivated": N_("The user was deactivated, and signed out on all devices."),
    "user-deleted": N_("The user was deleted."),
}
OTHER_EMAIL = N_("This isn't the email address of the account.")


class ActionForm(BaseModel):
    """The email address, which has to be typed before a user is deleted, and whether to take over the user's groups."""

    take_over: bool = False
    typed_email: Annotated[str, Field(max_length=MAX_RAW_LENGTH)] = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """An action that was chosen for a user."""

    action: Action
    user: User

    @property
    def page(self) -> str:
        """The page of the user."""
        return f"{ADMIN}/users/{self.user.id}"


async def get_choice(user_id: uuid.UUID, action: str, users: UserManagerDep) -> Choice:
    """Return the action and the user of a page.

    Raises:
        HTTPException: 404, there is no such action.
        UserNotFound: there is no such user.

    """
    if action not in ACTIONS:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return Choice(ACTIONS[action], await users.get(user_id))


async def get_managers(users: UserManagerDep, factors: FactorManagerDep, support: UserSupportDep) -> Managers:
    """Return the managers of a request."""
    return Managers(users, factors, support)


ManagersDep = Annotated[Managers, Depends(get_managers)]


@router.get("/users/{user_id:uuid}/{action}")
async def action_page(
    request: Request,
    choice: Annotated[Choice, Depends(get_choice)],
    current: CurrentSession,
    managers: ManagersDep,
) -> Response:
    """Show what an action does, once the superuser has signed in recently. One that no longer applies is not shown."""
    if not choice.action.applies(choice.user):
        return redirect(choice.page)
    await managers.factors.require_recent(current)
    return _render(request, choice)


@router.post("/users/{user_id:uuid}/{action}")
async def act(
    request: Request,
    form: Annotated[ActionForm, Form()],
    choice: Annotated[Choice, Depends(get_choice)],
    current: CurrentSession,
    actor: CurrentSuperuser,
    managers: ManagersDep,
    members: MemberManagerDep,
) -> Response:
    """Do it, and go back to the user, or to the list after a deletion."""
    action, user = choice.action, choice.user
    if not action.applies(user):
        return redirect(choice.page)
    if action.ask_for_email and form.typed_email.strip().casefold() != user.email.casefold():
        return _render_refused(request, choice, "REQUEST_INVALID", typed_email=OTHER_EMAIL)
    try:
        if form.take_over:
            await _take_over(members, user, actor)
        await action.run(managers, user, current)
    except errors.LastOwner as refusal:  # like the next one, it comes before any change of the user
        return _render_refused(request, choice, refusal.code, groups=refusal.groups)
    except errors.LastSuperuser as refusal:
        return _render_refused(request, choice, refusal.code)
    return redirect(f"{ADMIN}/users" if action.ask_for_email else choice.page, done=action.done)


async def _take_over(members: MemberManager, user: User, actor: User) -> None:
    """Give the groups that a user alone owns another owner, the superuser: a hundred at a time."""
    for group in sorted(await list_solely_owned(members.db, user), key=lambda each: each.id or 0):
        await members.put(group.id or 0, actor.id, Role.OWNER, actor)


def _render_refused(request: Request, choice: Choice, code: str, groups: Any = (), **faults: str) -> Response:
    failure = Failure.translated(request_language(request), faults, MESSAGES[code])
    status = HTTPStatus.UNPROCESSABLE_CONTENT if faults else HTTPStatus.CONFLICT
    return _render(request, choice, status, failure=failure, groups=groups)


def _render(request: Request, choice: Choice, status: int = HTTPStatus.OK, **values: Any) -> Response:
    shown: dict[str, Any] = {"groups": (), "user": choice.user, "action": choice.action} | values
    return render_page(request, "admin/user-action", status, **shown)
