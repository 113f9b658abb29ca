"""The table of permissions: which standing and which scope each action on a group requires. No other code decides."""

from enum import IntEnum, StrEnum

from accounts.domain import errors
from accounts.models import Role, Scope, User, Visibility


class Standing(IntEnum):
    """A caller's relation to a group, in ascending order: each standing has the permissions of the ones before it.

    ``ANYONE`` is not signed in, ``SIGNED_IN`` is a user who is not a member, and the next three are the roles.
    ``SUPERUSER`` outranks every role, whether or not the superuser is a member.
    """

    ANYONE = 0
    SIGNED_IN = 1
    MEMBER = 2
    ADMIN = 3
    OWNER = 4
    SUPERUSER = 5


class Permission(StrEnum):
    """An action on a group."""

    SEE = "see the group"
    LIST_MEMBERS = "list members"
    SEE_EMAILS = "see members' email addresses, and search by them"
    LEAVE = "leave the group"
    UPDATE = "change the name and the description"
    EXPORT = "export members"
    IMPORT = "import members"
    INVITE = "send, list, resend and revoke invitations"
    CHANGE_ROLES = "change roles between member and admin"
    REMOVE_MEMBERS = "remove members and admins"
    MANAGE_SERVICE_ACCOUNTS = "list, create, rename and delete service accounts, and their secrets"
    MANAGE_OWNERS = "add, demote and remove owners"
    TRANSFER = "transfer ownership"
    SET_VISIBILITY = "make the group public or private"
    DELETE = "delete the group"
    ADD_MEMBERS = "add users without an invitation"


ANYONE, SIGNED_IN, MEMBER, ADMIN, OWNER, SUPERUSER = Standing

GROUPS_READ, GROUPS_WRITE = Scope.GROUPS_READ, Scope.GROUPS_WRITE
MEMBERS_READ, MEMBERS_WRITE = Scope.MEMBERS_READ, Scope.MEMBERS_WRITE

# The lowest standing that has the permission, and the scope that a program needs besides.
TABLE = (
    # permission                in a public group, in a private group, scope
    (Permission.SEE,            ANYONE,    MEMBER,    GROUPS_READ),
    (Permission.LIST_MEMBERS,   ANYONE,    MEMBER,    MEMBERS_READ),
    (Permission.SEE_EMAILS,     MEMBER,    MEMBER,    MEMBERS_READ),
    (Permission.LEAVE,          MEMBER,    MEMBER,    MEMBERS_WRITE),
    (Permission.UPDATE,         ADMIN,     ADMIN,     GROUPS_WRITE),
    (Permission.EXPORT,         ADMIN,     ADMIN,     MEMBERS_READ),
    (Permission.IMPORT,         ADMIN,     ADMIN,     MEMBERS_WRITE),
    (Permission.INVITE,         ADMIN,     ADMIN,     MEMBERS_WRITE),
    (Permission.CHANGE_ROLES,   ADMIN,     ADMIN,     MEMBERS_WRITE),
    (Permission.REMOVE_MEMBERS, ADMIN,     ADMIN,     MEMBERS_WRITE),
    (Permission.MANAGE_SERVICE_ACCOUNTS, ADMIN, ADMIN, Scope.ACCOUNT),  # no program manages programs
    (Permission.MANAGE_OWNERS,  OWNER,     OWNER,     MEMBERS_WRITE),
    (Permission.TRANSFER,       OWNER,     OWNER,     MEMBERS_WRITE),
    (Permission.SET_VISIBILITY, OWNER,     OWNER,     GROUPS_WRITE),
    (Permission.DELETE,         OWNER,     OWNER,     GROUPS_WRITE),
    (Permission.ADD_MEMBERS,    SUPERUSER, SUPERUSER, MEMBERS_WRITE),
)  # fmt: skip
REQUIRED_STANDING: dict[Permission, dict[Visibility, Standing]] = {
    permission: {Visibility.PUBLIC: public, Visibility.PRIVATE: private} for permission, public, private, _ in TABLE
}
REQUIRED_SCOPE: dict[Permission, Scope] = {permission: scope for permission, _, _, scope in TABLE}
STANDING_OF_ROLE = {Role.MEMBER: MEMBER, Role.ADMIN: ADMIN, Role.OWNER: OWNER}


def standing_of(viewer: User | None, role: Role | None) -> Standing:
    """Return the standing of a user (None: not signed in) with a role in the group (None: no member)."""
    return get_standing(signed_in=viewer is not None, superuser=viewer is not None and viewer.is_superuser, role=role)


def get_standing(*, signed_in: bool, superuser: bool, role: Role | None) -> Standing:
    """Return the standing of a caller who is not loaded as a ``User``."""
    if not signed_in:
        return ANYONE
    if superuser:
        return SUPERUSER
    return STANDING_OF_ROLE[role] if role else SIGNED_IN


def allows(permission: Permission, standing: Standing, visibility: Visibility) -> bool:
    """Return whether a standing has a permission in groups of a visibility."""
    return standing >= REQUIRED_STANDING[permission][visibility]


def visibilities_open_to_anyone(permission: Permission) -> list[Visibility]:
    """Return the visibilities of the groups in which everyone has a permission, signed in or not."""
    return [visibility for visibility in Visibility if allows(permission, ANYONE, visibility)]


def require(permission: Permission, standing: Standing, visibility: Visibility) -> None:
    """Raise unless a standing has a permission in groups of a visibility.

    Raises:
        GroupNotFound: the caller may not even see the group.
        GroupForbidden: the caller may see the group, and lacks the permission.

    """
    if not allows(Permission.SEE, standing, visibility):
        raise errors.GroupNotFound
    if not allows(permission, standing, visibility):
        raise errors.GroupForbidden
