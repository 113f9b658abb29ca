"""What superusers can do to a user: a table of actions, each with its texts and the call of the domain."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from accounts.domain.identity.user_support import UserSupportManager
from accounts.domain.identity.users import UserManager
from accounts.domain.second_factors.factors import FactorManager
from accounts.models import User, UserSession
from accounts.schemas.identity.users import SuperuserUpdate
from accounts.translations import N_


@dataclass(frozen=True, slots=True)
class Managers:
    """The parts of the domain that actions call, in the request's transaction."""

    users: UserManager
    factors: FactorManager
    support: UserSupportManager


Run = Callable[[Managers, User, UserSession], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Action:
    """An action: its texts, what it does, and whether it applies to a user. ``done`` is the message afterwards."""

    label: str
    title: str
    effects: tuple[str, ...]
    done: str
    run: Run
    applies: Callable[[User], bool]
    danger: bool = True
    ask_for_email: bool = False


def _is_person(user: User) -> bool:
    return user.owner_group_id is None


def _update(**changes: Any) -> Run:
    async def run(managers: Managers, user: User, current: UserSession) -> object:
        return await managers.users.update(SuperuserUpdate(**changes), user, current)

    return run


# By name in the URL, in the order of the page.
ACTIONS: dict[str, Action] = {
    "activate": Action(
        N_("Activate"),
        N_("Activate %(name)s?"),
        (N_("The user can sign in again. Sessions and access tokens that have ended stay ended."),),
        "user-activated",
        _update(is_active=True),
        lambda user: not user.is_active,
        danger=False,
    ),
    "verify-email": Action(
        N_("Confirm the email address"),
        N_("Confirm the email address of %(name)s?"),
        (
            N_("The address counts as confirmed from now on, although no mailed link was used. No email is sent."),
            N_("Do this only if you know that the user reads the mail of this address."),
        ),
        "user-verified",
        _update(is_verified=True),
        lambda user: _is_person(user) and not user.is_verified,
        danger=False,
    ),
    "require-new-password": Action(
        N_("Require a new password"),
        N_("Require a new password of %(name)s?"),
        (
            N_("The password stops working now. All sessions and access tokens end."),
            N_("The user gets an email with a link to choose a new password, unless the account is inactive."),
        ),
        "password-required",
        lambda managers, user, current: managers.support.require_new_password(user, current),
        _is_person,
    ),
    "sign-out": Action(
        N_("Sign out everywhere"),
        N_("Sign out %(name)s everywhere?"),
        (N_("All sessions end now. The user has to sign in again on each device. Access tokens keep working."),),
        "user-signed-out",
        lambda managers, user, current: managers.users.revoke_sessions(user, current),
        lambda _: True,
    ),
    "reset-factors": Action(
        N_("Reset second factors"),
        N_("Reset the second factors of %(name)s?"),
        (
            N_("The authenticator app, passkeys and recovery codes are removed, and all sessions end."),
            N_("Afterwards the password alone is enough to sign in. The user gets an email about it."),
            N_("First make sure that it is the user who asks for this."),
        ),
        "factors-reset",
        lambda managers, user, current: managers.factors.reset(user, current),
        lambda user: bool(user.second_factors),
    ),
    "revoke-keys": Action(
        N_("Revoke all access tokens"),
        N_("Revoke all access tokens of %(name)s?"),
        (N_("Programs that use these tokens stop working now. Revoked tokens can't be restored."),),
        "keys-revoked",
        lambda managers, user, current: managers.users.revoke_keys(user, current),
        lambda _: True,
    ),
    "grant-superuser": Action(
        N_("Grant superuser rights"),
        N_("Grant superuser rights to %(name)s?"),
        (N_("The user can then see and change all users and groups. The user gets an email about it."),),
        "superuser-granted",
        _update(is_superuser=True),
        lambda user: _is_person(user) and not user.is_superuser,
    ),
    "revoke-superuser": Action(
        N_("Revoke superuser rights"),
        N_("Revoke the superuser rights of %(name)s?"),
        (N_("The user keeps the account and all roles in groups. The user gets an email about it."),),
        "superuser-revoked",
        _update(is_superuser=False),
        lambda user: user.is_superuser,
    ),
    "deactivate": Action(
        N_("Deactivate"),
        N_("Deactivate %(name)s?"),
        (
            N_("The user can't sign in any more. All sessions and access tokens end now."),
            N_("Memberships stay, and you can activate the account again."),
        ),
        "user-deactivated",
        _update(is_active=False),
        lambda user: user.is_active,
    ),
    "delete": Action(
        N_("Delete"),
        N_("Delete %(name)s?"),
        (
            N_("The account is deleted for good, with its memberships, sessions and access tokens."),
            N_("Groups stay. Audit events stay until they expire, without name and email address."),
        ),
        "user-deleted",
        lambda managers, user, current: managers.users.delete(user, current),
        _is_person,
        ask_for_email=True,
    ),
}
