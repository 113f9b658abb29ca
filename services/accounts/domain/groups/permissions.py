"""Who may do what in a group: the table decides, and nothing else does."""

from enum import IntEnum, StrEnum

from accounts.domain import errors
from accounts.models import Role, User, Visibility


class Standing(IntEnum):
    """What somebody is to a group. Each may do whatever those before it may."""

    ANYONE = 0
    SIGNED_IN = 1
    MEMBER = 2
    ADMIN = 3
    OWNER = 4
    SUPERUSER = 5


class Permission(StrEnum):
    """What can be done in a group."""

    SEE = "see that it is there, with its name, description and number of members"
    LIST_MEMBERS = "list the members"
    SEE_EMAILS = "see the members' e-mail addresses, and search by them"
    LEAVE = "leave"
    UPDATE = "rename and describe"
    EXPORT = "export the members"
    IMPORT = "import members"
    INVITE = "invite, and list, resend and revoke invitations"
    ADD_MEMBERS = "add whoever shares a group with oneself"
    CHANGE_ROLES = "make a member an admin and an admin a member"
    REMOVE_MEMBERS = "remove members and admins"
    MANAGE_OWNERS = "make, demote and remove owners"
    TRANSFER = "hand ownership over"
    SET_VISIBILITY = "make public or private"
    DELETE = "delete"
    ADD_ANYONE = "add anybody"


ANYONE, SIGNED_IN, MEMBER, ADMIN, OWNER, SUPERUSER = Standing

# The least standing that it takes.
REQUIRED_STANDING: dict[Permission, dict[Visibility, Standing]] = {
    act: {Visibility.PUBLIC: public, Visibility.PRIVATE: private}
    for act, public, private in (
        # act             in a public group, in a private one
        (Permission.SEE,            ANYONE,   MEMBER),
        (Permission.LIST_MEMBERS,   ANYONE,   MEMBER),
        (Permission.SEE_EMAILS,  MEMBER,    MEMBER),
        (Permission.LEAVE,          MEMBER,    MEMBER),
        (Permission.UPDATE,         ADMIN,     ADMIN),
        (Permission.EXPORT,         ADMIN,     ADMIN),
        (Permission.IMPORT,         ADMIN,     ADMIN),
        (Permission.INVITE,         ADMIN,     ADMIN),
        (Permission.ADD_MEMBERS,    ADMIN,     ADMIN),
        (Permission.CHANGE_ROLES,   ADMIN,     ADMIN),
        (Permission.REMOVE_MEMBERS, ADMIN,     ADMIN),
        (Permission.MANAGE_OWNERS,  OWNER,     OWNER),
        (Permission.TRANSFER,       OWNER,     OWNER),
        (Permission.SET_VISIBILITY, OWNER,     OWNER),
        (Permission.DELETE,         OWNER,     OWNER),
        (Permission.ADD_ANYONE,  SUPERUSER, SUPERUSER),
    )
}  # fmt: skip
ROLES = {Role.MEMBER: MEMBER, Role.ADMIN: ADMIN, Role.OWNER: OWNER}


def standing_of(viewer: User | None, role: Role | None) -> Standing:
    """Tell what somebody is to a group in which they have a role, or none."""
    return standing(signed_in=viewer is not None, superuser=viewer is not None and viewer.is_superuser, role=role)


def standing(*, signed_in: bool, superuser: bool, role: Role | None) -> Standing:
    """Tell the same of whoever is not at hand as a user."""
    if not signed_in:
        return ANYONE
    if superuser:
        return SUPERUSER
    return ROLES[role] if role else SIGNED_IN


def allows(act: Permission, standing: Standing, visibility: Visibility) -> bool:
    """Look up whether a standing is enough."""
    return standing >= REQUIRED_STANDING[act][visibility]


def visibilities_open_to_anyone(act: Permission) -> list[Visibility]:
    """Name the groups in which it takes nothing."""
    return [each for each in Visibility if allows(act, ANYONE, each)]


def require(act: Permission, standing: Standing, visibility: Visibility) -> None:
    """Refuse what the table does not allow.

    Raises:
        GroupNotFound: for whom may not even see it, there is no such group.
        GroupForbidden: it takes more than the caller is.

    """
    if not allows(Permission.SEE, standing, visibility):
        raise errors.GroupNotFound
    if not allows(act, standing, visibility):
        raise errors.GroupForbidden
