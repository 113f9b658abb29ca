"""The pages of the administration, as the browser of a superuser requests them."""

import uuid
from typing import Any

from httpx2 import Response
from sqlalchemy import event
from sqlmodel import col, select

from accounts.db.session import transaction
from accounts.models import AuditEvent, User
from support.account_pages import done_cookie, enter
from support.html import Page
from support.people import World


class Court:
    """The superuser Merlin, who is signed in on the pages, and Arthur."""

    def __init__(self, world: World, merlin: User, arthur: User, cookie: str) -> None:
        self.world, self.merlin, self.arthur, self.cookie = world, merlin, arthur, cookie
        self.user = f"/admin/users/{arthur.id}"

    async def get(self, path: str, cookie: str | None = None, **query: Any) -> Response:
        headers = {"Cookie": self.cookie if cookie is None else cookie}
        return await self.world.client.get(path, headers=headers, params=query or None)

    async def post(self, path: str, cookie: str | None = None, **form: Any) -> Response:
        headers = {"Cookie": self.cookie if cookie is None else cookie}
        return await self.world.client.post(path, data=form, headers=headers)

    async def page(self, path: str = "", **query: Any) -> Page:
        answer = await self.get(path or self.user, **query)
        assert answer.status_code == 200, (answer.url, answer.status_code, answer.text[-600:])
        return Page(answer.text)

    async def follow(self, answer: Response) -> Page:
        """Open the page that an action redirects to."""
        assert answer.status_code == 303, answer.text
        shown = await self.get(answer.headers["location"], f"{self.cookie}; {done_cookie(answer)}")
        assert shown.status_code == 200, shown.text
        return Page(shown.text)

    async def stored(self) -> User:
        """Read Arthur."""
        async with transaction(self.world.sessionmaker) as db:
            return await db.get_one(User, self.arthur.id)

    async def events(self, actor: uuid.UUID | None = None) -> list[str]:
        """Return the actions about Arthur by an actor, Merlin if none is named."""
        by = (AuditEvent.user_id == self.arthur.id, AuditEvent.actor_id == (actor or self.merlin.id))
        async with transaction(self.world.sessionmaker) as db:
            return list((await db.exec(select(AuditEvent.action).where(*by).order_by(col(AuditEvent.id)))).all())

    async def statements(self, path: str, **query: Any) -> int:
        """Count the statements of a request."""
        engine = self.world.sessionmaker.kw["bind"].sync_connection.engine
        run: list[str] = []
        listener = engine, "before_cursor_execute", lambda *given: run.append(given[2])
        event.listen(*listener)
        await self.page(path, **query)
        event.remove(*listener)
        return len([each for each in run if "SAVEPOINT" not in each])


async def court_of(world: World) -> Court:
    merlin, arthur = await world.user("merlin", superuser=True), await world.user("arthur")
    return Court(world, merlin, arthur, await enter(world, merlin.email))


def rows(page: Page) -> list[str]:
    """Return the texts of the rows of all tables, without their heads."""
    return [each.text.strip() for each in page.find("tr")[1:]]
