"""Sign-in by mailed code, as a client does it."""

import uuid

from httpx2 import AsyncClient, Response
from sqlmodel import col, select

from accounts.db.session import transaction
from accounts.domain.mailed_codes.codes import derive_code
from accounts.models import MailKind, OutboxMail
from support.people import World

WRONG = "BBBB-BBBB"


class Codes:
    """The client of a world that allows sign-in by code."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.change_settings(sign_in_by_code=True)

    async def request(self, email: str, client: AsyncClient | None = None) -> str:
        """Request a code, and return the token of the request."""
        answer = await (client or self.world.client).post("/auth/code/request", json={"email": email})
        assert answer.status_code == 202, answer.text
        token: str = answer.json()["code_token"]
        return token

    async def mail_ids(self) -> list[uuid.UUID]:
        async with transaction(self.world.sessionmaker) as db:
            mails = select(OutboxMail.id).where(col(OutboxMail.kind) == MailKind.SIGN_IN_CODE)
            return list(await db.exec(mails.order_by(col(OutboxMail.id))))

    async def last(self) -> str:
        """The code of the last mail."""
        return derive_code(self.world.key, (await self.mail_ids())[-1])

    async def requested(self, email: str) -> tuple[str, str]:
        """Request a code, and return the token and the code."""
        return await self.request(email), await self.last()

    async def send(self, token: str, code: str, path: str = "/auth/jwt/code", **more: str) -> Response:
        """Send a code with its token."""
        return await self.world.client.post(path, json={"code_token": token, "code": code, **more})
