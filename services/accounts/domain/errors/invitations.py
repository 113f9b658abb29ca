"""Refusals of invitations, and of imports, which send them."""

from collections.abc import Sequence

from accounts.domain.errors.base import Refusal
from accounts.schemas.member_files import RowError


class InvitationExists(Refusal):
    """The email or the user has an open invitation to the group, which can be resent or revoked."""

    code = "INVITATION_EXISTS"


class InvitationNotFound(Refusal):
    """The group, or the caller's verified email, has no such open invitation."""

    code = "INVITATION_NOT_FOUND"


class InvitationBadToken(Refusal):
    """The token is unknown, used, replaced by a newer one, or expired, or the invitation was revoked."""

    code = "INVITATION_BAD_TOKEN"


class InvitationOtherAddress(Refusal):
    """The invitation was sent to another email."""

    code = "INVITATION_OTHER_ADDRESS"


class ImportInvalid(Refusal):
    """The file has invalid lines, which `errors` lists. Nothing was imported."""

    code = "IMPORT_INVALID"

    def __init__(self, faults: Sequence[RowError]) -> None:
        super().__init__()
        self.faults = faults


class TooManyInvitations(Refusal):
    """The file invites more people than a user may invite in a day. Nothing was imported."""

    code = "TOO_MANY_INVITATIONS"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The file invites more than {limit} people.")


class ImportInProgress(Refusal):
    """Another import by the caller, into the group, or of users is in progress. Try again after `Retry-After`."""

    code = "IMPORT_IN_PROGRESS"
