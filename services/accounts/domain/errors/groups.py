"""Refusals of groups and memberships."""

from collections.abc import Sequence

from accounts.domain.errors.base import Refusal
from accounts.models import UserGroup


class GroupNotFound(Refusal):
    """The group does not exist, or the caller may not see it."""

    code = "GROUP_NOT_FOUND"


class GroupForbidden(Refusal):
    """Requires a higher role in the group."""

    code = "GROUP_FORBIDDEN"


class GroupNameTaken(Refusal):
    """Another public group has this name, ignoring case."""

    code = "GROUP_NAME_TAKEN"


class MemberNotFound(Refusal):
    """The user is not a member of the group."""

    code = "MEMBER_NOT_FOUND"


class LastOwner(Refusal):
    """The groups in `groups` have no other active owner: add one, or delete the groups, first."""

    code = "LAST_OWNER"

    def __init__(self, groups: Sequence[UserGroup]) -> None:
        names = ", ".join(f"{group.name} ({group.id})" for group in groups)
        super().__init__(f"These groups have no other active owner: {names}")
        self.groups = groups


class AlreadyMember(Refusal):
    """The user, or the user with this email, is a member of the group."""

    code = "ALREADY_MEMBER"
