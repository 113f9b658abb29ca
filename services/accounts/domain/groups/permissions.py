"""The table of permissions: which standing and which scope each action on a group requires. No other code decides."""

from enum import IntEnum, StrEnum
from typing import NamedTuple, NoReturn

from accounts.db.session import TRUSTED, CallerLevel, Session
from accounts.domain import errors
from accounts.models import Role, Scope, User, Visibility


class Standing(IntEnum):
    """A caller's relation to a group, in ascending order: each standing has the permissions of the ones before it.

    ``ANYONE`` is not signed in, ``SIGNED_IN`` is a user who is not a member, and ``MEMBER`` to ``OWNER`` are the roles.
    ``SUPERUSER`` outranks every role, whether or not the superuser is a member. ``UNPROVEN`` is a member, of any role,
    or a superuser whose session is of a lower assurance level than the group requires.
    """

    ANYONE = 0
    SIGNED_IN = 1
    UNPROVEN = 2
    MEMBER = 3
    ADMIN = 4
    OWNER = 5
    SUPERUSER = 6


class Standings(NamedTuple):
    """A caller's standing, and the one that the caller would have in a session of assurance level 2."""

    now: Standing
    proven: Standing


class Permission(StrEnum):
    """An action on a group."""

    SEE = "see the group"
    LIST_MEMBERS = "list members"
    SEE_EMAILS = "see members' email addresses, and search by them"
    LEAVE = "leave the group"
    UPDATE = "change the name and the description"
    SEE_ASSURANCE = "see which members could not use the group if it required a second factor"
    EXPORT = "export members"
    IMPORT = "import members"
    INVITE = "send, list, resend and revoke invitations"
    CHANGE_ROLES = "change roles between member and admin"
    REMOVE_MEMBERS = "remove members and admins"
    MANAGE_SERVICE_ACCOUNTS = "list, create, rename and delete service accounts, and their secrets"
    MANAGE_OWNERS = "add, demote and remove owners"
    TRANSFER = "transfer ownership"
    REQUIRE_ASSURANCE = "require a second factor of members, or no longer"
    SET_VISIBILITY = "make the group public or private"
    DELETE = "delete the group"
    ADD_MEMBERS = "add users without an invitation"


ANYONE, SIGNED_IN, UNPROVEN, MEMBER, ADMIN, OWNER, SUPERUSER = Standing

GROUPS_READ, GROUPS_WRITE = Scope.GROUPS_READ, Scope.GROUPS_WRITE
MEMBERS_READ, MEMBERS_WRITE = Scope.MEMBERS_READ, Scope.MEMBERS_WRITE

# The lowest standing that has the permission, and the scope that a program needs besides.
TABLE = (
    # permission                in a public group, in a private group, scope
    (Permission.SEE,            ANYONE,    UNPROVEN,  GROUPS_READ),
    (Permission.LIST_MEMBERS,   ANYONE,    MEMBER,    MEMBERS_READ),
    (Permission.SEE_EMAILS,     MEMBER,    MEMBER,    MEMBERS_READ),
    (Permission.LEAVE,          UNPROVEN,  UNPROVEN,  MEMBERS_WRITE),
    (Permission.UPDATE,         ADMIN,     ADMIN,     GROUPS_WRITE),
    (Permission.SEE_ASSURANCE,  ADMIN,     ADMIN,     MEMBERS_READ),
    (Permission.EXPORT,         ADMIN,     ADMIN,     MEMBERS_READ),
    (Permission.IMPORT,         ADMIN,     ADMIN,     MEMBERS_WRITE),
    (Permission.INVITE,         ADMIN,     ADMIN,     MEMBERS_WRITE),
    (Permission.CHANGE_ROLES,   ADMIN,     ADMIN,     MEMBERS_WRITE),
    (Permission.REMOVE_MEMBERS, ADMIN,     ADMIN,     MEMBERS_WRITE),
    (Permission.MANAGE_SERVICE_ACCOUNTS, ADMIN, ADMIN, Scope.ACCOUNT),  # no program manages programs
    (Permission.MANAGE_OWNERS,  OWNER,     OWNER,     MEMBERS_WRITE),
    (Permission.TRANSFER,       OWNER,     OWNER,     MEMBERS_WRITE),
    (Permission.REQUIRE_ASSURANCE, OWNER,  OWNER,     GROUPS_WRITE),
    (Permission.SET_VISIBILITY, OWNER,     OWNER,     GROUPS_WRITE),
    (Permission.DELETE,         OWNER,     OWNER,     GROUPS_WRITE),
    (Permission.ADD_MEMBERS,    SUPERUSER, SUPERUSER, MEMBERS_WRITE),
)  # fmt: skip
REQUIRED_STANDING: dict[Permission, dict[Visibility, Standing]] = {
    permission: {Visibility.PUBLIC: public, Visibility.PRIVATE: private} for permission, public, private, _ in TABLE
}
REQUIRED_SCOPE: dict[Permission, Scope] = {permission: scope for permission, _, _, scope in TABLE}
STANDING_OF_ROLE = {Role.MEMBER: MEMBER, Role.ADMIN: ADMIN, Role.OWNER: OWNER}


def standings_of(db: Session, viewer: User | None, role: Role | None, required_aal: int = 1) -> Standings:
    """Return the standings of the caller (None: not signed in) with a role (None: no member) in a group."""
    superuser = viewer is not None and viewer.is_superuser
    return get_standings(
        signed_in=viewer is not None,
        superuser=superuser,
        role=role,
        caller_level=db.caller_level,
        required_aal=required_aal,
    )


def get_standings(
    *, signed_in: bool, superuser: bool, role: Role | None, caller_level: CallerLevel, required_aal: int
) -> Standings:
    """Return the standings of a caller who is not loaded as a ``User``."""

    def at(level: CallerLevel) -> Standing:
        if not signed_in:
            return ANYONE
        member = STANDING_OF_ROLE[role] if role else SIGNED_IN
        standing = SUPERUSER if superuser and level.suffices_for_superusers else member
        return standing if level.level >= required_aal else min(standing, UNPROVEN)

    return Standings(at(caller_level), at(TRUSTED))


def allows(permission: Permission, standing: Standing, visibility: Visibility) -> bool:
    """Return whether a standing has a permission in groups of a visibility."""
    return standing >= REQUIRED_STANDING[permission][visibility]


def visibilities_open_to_anyone(permission: Permission) -> list[Visibility]:
    """Return the visibilities of the groups in which everyone has a permission, signed in or not."""
    return [visibility for visibility in Visibility if allows(permission, ANYONE, visibility)]


def require(permission: Permission, standings: Standings, visibility: Visibility) -> None:
    """Raise unless a caller has a permission in groups of a visibility.

    Raises:
        AssuranceRequired: the caller would have it in a session of level 2.
        GroupNotFound: the caller may not even see the group.
        GroupForbidden: the caller may see the group, and lacks the permission.

    """
    if allows(permission, standings.now, visibility):
        return
    if allows(permission, standings.proven, visibility):
        raise errors.AssuranceRequired
    raise errors.GroupForbidden if allows(Permission.SEE, standings.now, visibility) else errors.GroupNotFound


def require_missing(standings: Standings) -> NoReturn:
    """Raise for a group that does not exist what a private group of others raises.

    Raises:
        AssuranceRequired: the caller is a superuser whose session is of too low a level.
        GroupNotFound: the caller is any other.

    """
    require(Permission.SEE, standings, Visibility.PRIVATE)
    raise errors.GroupNotFound
