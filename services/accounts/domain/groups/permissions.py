"""Who may do what in a group: the table decides, and nothing else does."""

from enum import IntEnum, StrEnum

from accounts.domain import errors
from accounts.models import Role, User, Visibility


class Standing(IntEnum):
    """What somebody is to a group. Each may do whatever those before it may."""

    ANYBODY = 0
    SIGNED_IN = 1
    MEMBER = 2
    ADMIN = 3
    OWNER = 4
    SUPERUSER = 5


class Act(StrEnum):
    """What can be done in a group."""

    SEE = "see that it is there, with its name, description and number of members"
    LIST_MEMBERS = "list the members"
    SEE_ADDRESSES = "see the members' e-mail addresses, and search by them"
    LEAVE = "leave"
    CHANGE = "rename and describe"
    EXPORT = "export the members"
    IMPORT = "import members"
    INVITE = "invite, and list, resend and revoke invitations"
    ADD_MEMBERS = "add whoever shares a group with oneself"
    CHANGE_ROLES = "make a member an admin and an admin a member"
    REMOVE_MEMBERS = "remove members and admins"
    HANDLE_OWNERS = "make, demote and remove owners"
    TRANSFER = "hand ownership over"
    SET_VISIBILITY = "make public or private"
    DELETE = "delete"
    ADD_STRANGERS = "add anybody"


ANYBODY, SIGNED_IN, MEMBER, ADMIN, OWNER, SUPERUSER = Standing

# The least standing that it takes.
LEAST: dict[Act, dict[Visibility, Standing]] = {
    act: {Visibility.PUBLIC: public, Visibility.PRIVATE: private}
    for act, public, private in (
        # act             in a public group, in a private one
        (Act.SEE,            ANYBODY,   MEMBER),
        (Act.LIST_MEMBERS,   ANYBODY,   MEMBER),
        (Act.SEE_ADDRESSES,  MEMBER,    MEMBER),
        (Act.LEAVE,          MEMBER,    MEMBER),
        (Act.CHANGE,         ADMIN,     ADMIN),
        (Act.EXPORT,         ADMIN,     ADMIN),
        (Act.IMPORT,         ADMIN,     ADMIN),
        (Act.INVITE,         ADMIN,     ADMIN),
        (Act.ADD_MEMBERS,    ADMIN,     ADMIN),
        (Act.CHANGE_ROLES,   ADMIN,     ADMIN),
        (Act.REMOVE_MEMBERS, ADMIN,     ADMIN),
        (Act.HANDLE_OWNERS,  OWNER,     OWNER),
        (Act.TRANSFER,       OWNER,     OWNER),
        (Act.SET_VISIBILITY, OWNER,     OWNER),
        (Act.DELETE,         OWNER,     OWNER),
        (Act.ADD_STRANGERS,  SUPERUSER, SUPERUSER),
    )
}  # fmt: skip
ROLES = {Role.MEMBER: MEMBER, Role.ADMIN: ADMIN, Role.OWNER: OWNER}


def standing_of(viewer: User | None, role: Role | None) -> Standing:
    """Tell what somebody is to a group in which they have a role, or none."""
    return standing(signed_in=viewer is not None, superuser=viewer is not None and viewer.is_superuser, role=role)


def standing(*, signed_in: bool, superuser: bool, role: Role | None) -> Standing:
    """Tell the same of whoever is not at hand as a user."""
    if not signed_in:
        return ANYBODY
    if superuser:
        return SUPERUSER
    return ROLES[role] if role else SIGNED_IN


def allows(act: Act, standing: Standing, visibility: Visibility) -> bool:
    """Look up whether a standing is enough."""
    return standing >= LEAST[act][visibility]


def open_to_anybody(act: Act) -> list[Visibility]:
    """Name the groups in which it takes nothing."""
    return [each for each in Visibility if allows(act, ANYBODY, each)]


def require(act: Act, standing: Standing, visibility: Visibility) -> None:
    """Refuse what the table does not allow.

    Raises:
        GroupNotFound: for whom may not even see it, there is no such group.
        GroupForbidden: it takes more than the caller is.

    """
    if not allows(Act.SEE, standing, visibility):
        raise errors.GroupNotFound
    if not allows(act, standing, visibility):
        raise errors.GroupForbidden
