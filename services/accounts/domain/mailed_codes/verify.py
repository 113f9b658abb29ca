"""Verifies the code of a mail, once."""

from sqlmodel import col

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.audit.log import Action, record
from accounts.domain.mailed_codes import store
from accounts.domain.mailed_codes.codes import is_code
from accounts.models import Method, User
from accounts.observability import metrics
from accounts.settings import Settings


def require_enabled(settings: Settings) -> None:
    """Raise SignInByCodeDisabled if SIGN_IN_BY_CODE is false."""
    if not settings.sign_in_by_code:
        raise errors.SignInByCodeDisabled


async def use_code(db: Session, settings: Settings, token: str, code: str, *, of: User | None = None) -> User:
    """Use a code, and return its user, locked. All codes of the user are used up.

    Args:
        token: what the client that requested the code was given.
        code: what the user read in the mail.
        of: accept the codes of this user only.

    Raises:
        SignInByCodeDisabled: SIGN_IN_BY_CODE is false.
        LoginBadCode: the code is wrong or not usable. The attempt is counted, and the failure recorded.

    """
    require_enabled(settings)
    user = await store.lock_user(db, token, *([col(User.id) == of.id] if of else []))
    attempted = await store.count_attempt(db, token)
    right = attempted is not None and is_code(settings.secret_keys, attempted.mail_id, code)
    if not (user and attempted and right and attempted.usable):
        metrics.WRONG_CODE.inc()
        await record(db, Action.SESSION_REFUSED, user_id=user.id if user else None, method=Method.MAILED_CODE)
        raise errors.LoginBadCode
    await store.delete_all(db, user)
    return user
