"""Named users for tests: stored through the domain, signed in through HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient, Response
from sqlalchemy import text, update
from sqlmodel import col, select
from starlette.types import Receive, Scope, Send

from accounts.db.engine import ConnectDriver
from accounts.db.session import Session, Sessionmaker, transaction
from accounts.domain.access_keys.secret import KeyKind
from accounts.domain.access_keys.store import AccessKeyStore
from accounts.domain.groups.membership import add_member
from accounts.domain.identity.mailed_tokens import derive_token
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.identity.users import UserManager
from accounts.models import MailKind, Membership, OutboxMail, Role, User, UserGroup, UserSession, Visibility
from accounts.schemas.identity.users import SuperuserCreate, UserCreate

PASSWORD = "guinevere-and-lancelot"
SCHEMA_OWNER = "accounts"  # tests connect as the API's role


TOKENS = {
    MailKind.SIGN_UP,
    MailKind.VERIFY,
    MailKind.RESET,
    MailKind.INVITATION,
    MailKind.CONFIRM_EMAIL,
    MailKind.EMAIL_CHANGED,
}


class Mail(NamedTuple):
    """A mail in the outbox, with the token that the worker would send, if its kind has one."""

    kind: MailKind
    email: str
    token: str
    detail: dict[str, Any]


class World:
    """A database and the API in front of it. Test data is stored in separate transactions."""

    def __init__(self, app: FastAPI, state: dict[str, Any], client: AsyncClient) -> None:
        self.app = app
        self.state = state
        self.sessionmaker: Sessionmaker = state["sessionmaker"]
        self.connect: ConnectDriver = state["connect"]
        self.passwords: PasswordHasher = state["passwords"]
        self.client = client
        self.key: str = state["settings"].secret_keys[0]

    def client_at(self, address: str | None) -> AsyncClient:
        """Return a client with another IP address; None for a socket file."""

        async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
            client = address and (address, 50_000)
            await self.app({**scope, "client": client, "state": dict(self.state)}, receive, send)

        return AsyncClient(transport=ASGITransport(asgi, raise_app_exceptions=False), base_url="http://testserver")

    def change_settings(self, **values: Any) -> None:
        """Change settings of the running application."""
        self.state["settings"] = self.state["settings"].model_copy(update=values)

    def users(self, db: Session) -> UserManager:
        return UserManager(db, self.passwords, self.state["settings"])

    async def user(self, name: str, *, superuser: bool = False, **changes: Any) -> User:
        """Store the user NAME@camelot.example.com."""
        schema = SuperuserCreate if superuser else UserCreate
        async with transaction(self.sessionmaker) as db:
            email = f"{name}@camelot.example.com"
            user = await self.users(db).create(schema(email=email, password=PASSWORD, display_name=name.title()))
            for attribute, value in changes.items():
                setattr(user, attribute, value)
        return user

    async def mails(self, *kinds: MailKind) -> list[Mail]:
        """Look into the outbox, for all kinds or some."""
        async with transaction(self.sessionmaker) as db:
            rows = await db.exec(select(OutboxMail).order_by(col(OutboxMail.id)))
            return [
                Mail(row.kind, row.email, derive_token(self.key, row.id) if row.kind in TOKENS else "", row.detail)
                for row in rows
                if not kinds or row.kind in kinds
            ]

    async def tokens(self) -> list[tuple[str, str, str]]:
        """The mails that bring a token: what for, to whom, and the token."""
        return [mail[:3] for mail in await self.mails(*TOKENS)]

    async def token(self) -> str:
        """The token of the last mail that brings one."""
        return (await self.tokens())[-1][2]

    async def group(
        self, name: str, visibility: Visibility = Visibility.PUBLIC, *, members: dict[User, Role] | None = None
    ) -> UserGroup:
        """Store a group with its members."""
        async with transaction(self.sessionmaker) as db:
            group = UserGroup(name=name, visibility=visibility)
            db.add(group)
            await db.flush()
            for user, role in (members or {}).items():
                db.add(Membership(group_id=group.id, user_id=user.id, role=role))
        return group

    async def join(self, group_id: int, user: User, role: Role) -> bool:
        """Make a user a member, as the domain does it."""
        async with transaction(self.sessionmaker) as db:
            return await add_member(db, group_id, user.id, role)

    async def login(self, user: User | str, password: str = PASSWORD) -> Response:
        email = user if isinstance(user, str) else user.email
        return await self.client.post("/auth/jwt/login", data={"username": email, "password": password})

    async def sign_in(self, user: User | str, password: str = PASSWORD) -> dict[str, str]:
        """Sign in for real and return the headers to send."""
        response = await self.login(user, password)
        assert response.status_code == 200, response.text
        return {"Authorization": f"Bearer {response.json()['access_token']}"}

    async def raise_level(self, user: User) -> None:
        """Store that the user proved a second factor in all sessions."""
        async with transaction(self.sessionmaker) as db:
            await db.exec(update(UserSession).where(col(UserSession.user_id) == user.id).values(aal=2))

    async def require_second_factor(self, group: UserGroup) -> None:
        """Store that a group requires assurance level 2."""
        async with transaction(self.sessionmaker) as db:
            await db.exec(update(UserGroup).where(col(UserGroup.id) == group.id).values(required_aal=2))

    async def access_key(self, user: User, *scopes: str, kind: KeyKind = KeyKind.PERSONAL) -> dict[str, str]:
        """Store an access key and return the headers to send."""
        async with transaction(self.sessionmaker) as db:
            _, secret = await AccessKeyStore(db).create(user, kind, "nightly report", scopes, timedelta(days=30))
        return {"Authorization": f"Bearer {secret}"}

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[Session]:
        """Open a transaction of the schema's owner."""
        async with transaction(self.sessionmaker) as db:
            await (await db.connection()).execute(text(f"SET ROLE {SCHEMA_OWNER}"))
            yield db
            await db.flush()
            await (await db.connection()).execute(text("RESET ROLE"))

    async def sql(self, statement: str) -> None:
        """Run a statement that the domain has no word for, as the owner of the schema."""
        async with self.owner() as db:
            await (await db.connection()).execute(text(statement))

    def connections_held_at(self, monkeypatch: pytest.MonkeyPatch, name: str) -> list[int]:
        """Note, at each call of a method of ``passwords``, how many connections are out of the pool."""
        held: list[int] = []
        original = getattr(self.passwords, name)

        def noting(*args: Any) -> Any:
            held.append(self.sessionmaker.kw["bind"].pool.checkedout())
            return original(*args)

        monkeypatch.setattr(self.passwords, name, noting)
        return held
