"""The rows of an import as they are stored until it ends: lines of JSON, each with many rows."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import batched

from pydantic_core import from_json, to_json

from accounts.domain.invitations.store import InvitationRequest
from accounts.models import Role

BATCH_ROWS = 500


async def pack(rows: Sequence[InvitationRequest]) -> bytes:
    """Write rows. Other requests are served meanwhile."""
    lines = []
    for batch in batched(rows, BATCH_ROWS, strict=False):
        lines.append(to_json([(row.email, row.role, row.note) for row in batch]))
        await asyncio.sleep(0)
    return b"\n".join(lines)


def unpack(packed: bytes) -> Iterator[InvitationRequest]:
    """Read rows."""
    for line in packed.splitlines():
        for email, role, note in from_json(line):
            yield InvitationRequest(email, Role(role), note)
