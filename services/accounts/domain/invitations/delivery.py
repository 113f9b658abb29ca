"""The delivery of invitations: whether the mail with the current token waits, was sent, or could not be sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.schemas.invitations import InvitationRead

# The transaction that stores a token also enqueues its mail, so both have the same time, to the microsecond. Mail with
# an earlier token may still wait, or be parked. A mail that was sent has no row any more. One that is postponed since
# others wrote to the address often looks as if it was sent: a group must not learn of that.
SELECT_DELIVERIES = CompiledStatement("""
    SELECT DISTINCT ON (invitation.id) invitation.id, invitation.updated_at,
        CASE
            WHEN outbox.id IS NULL THEN 'sent'
            WHEN outbox.parked_at IS NOT NULL THEN 'failed'
            WHEN outbox.error <> '' THEN 'delayed'
            WHEN outbox.next_at > now() THEN 'sent'
            ELSE 'waiting'
        END
    FROM invitation
    LEFT JOIN outbox ON outbox.invitation_id = invitation.id AND outbox.created_at = invitation.updated_at
    WHERE invitation.group_id = :group_id AND invitation.id = ANY(CAST(:ids AS bigint[]))
    ORDER BY invitation.id, outbox.id DESC
""")


class DeliveryState(StrEnum):
    """What has become of a mail. ``SENT``: a mail server accepted it. ``FAILED``: it is not tried again."""

    WAITING = "waiting"
    DELAYED = "delayed"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The state of an invitation's mail, and when the invitation was sent, or resent, by a member."""

    state: DeliveryState
    at: datetime


async def get_deliveries(db: Session, group_id: int, invitations: Sequence[InvitationRead]) -> Mapping[int, Delivery]:
    """Return the deliveries of a group's invitations by id, in one statement.

    An invitation that was answered meanwhile is left out. Why a mail failed is for operators: it names their servers.
    The caller has required the permission INVITE.
    """
    rows = await SELECT_DELIVERIES.run(db, group_id=group_id, ids=[each.id for each in invitations])
    return {number: Delivery(DeliveryState(state), at) for number, at, state in rows}
