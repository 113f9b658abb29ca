"""Changes of how a user signs in. Each is recorded, and reported to the user by mail."""

from typing import Any

from accounts.db.session import Session
from accounts.domain.audit.log import Action, record
from accounts.domain.mail import outbox
from accounts.models import MailKind, User


async def report_change(db: Session, user: User, action: Action, *, name: str = "") -> None:
    """Record a change, and notify the user. The mail shows the client IP only if the user is the caller.

    Args:
        action: says what changed. The mail's template has a sentence for it, under its name with ``_`` for the dot.
        name: of what was added, removed or used, for example of a passkey or a provider.

    """
    named: dict[str, Any] = {"name": name} if name else {}
    await record(db, action, user_id=user.id, **named)
    address = db.client_ip if db.actor_id in {None, user.id} else ""
    detail = {"change": action.replace(".", "_"), "factor_name": name, "address": address}
    await outbox.enqueue_notice(db, MailKind.SECURITY_CHANGED, user, **detail)
