"""The pages of the administration, as the browser of a superuser requests them."""

from typing import Any

from httpx2 import Response

from accounts.db.session import transaction
from accounts.models import User
from support.account_pages import done_cookie, enter
from support.html import Page
from support.people import World
from support.schema import recorded_statements

HOSTILE = "<script>alert(1)</script>\"'&\u202e"


class Admin:
    """The superuser Morgana, who is signed in."""

    def __init__(self, world: World, user: User, cookie: str) -> None:
        self.world, self.user, self.cookie = world, user, cookie

    async def get(self, path: str, language: str = "en", **query: Any) -> Response:
        headers = {"Cookie": self.cookie, "Accept-Language": language}
        return await self.world.client.get(f"/admin{path}", params=query or None, headers=headers)

    async def page(self, path: str, **query: Any) -> Page:
        answer = await self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return Page(answer.text)

    async def follow(self, answer: Response) -> Page:
        """Open the page that an action leads to."""
        assert answer.status_code == 303, answer.text
        headers = {"Cookie": f"{self.cookie}; {done_cookie(answer)}"}
        return Page((await self.world.client.get(answer.headers["location"], headers=headers)).text)

    async def post(self, path: str, **form: Any) -> Response:
        return await self.world.client.post(f"/admin{path}", data=form, headers={"Cookie": self.cookie})

    async def statements(self, path: str, **query: Any) -> int:
        """Count the statements of a page."""
        async with transaction(self.world.sessionmaker) as db, recorded_statements(db) as run:
            await self.page(path, **query)
        return len(run)


async def enter_admin(world: World) -> Admin:
    user = await world.user("morgana", superuser=True)
    return Admin(world, user, await enter(world, user.email))


def rows(page: Page, number: int = 0) -> list[str]:
    """Return the texts of the rows of a table, without the heads."""
    body = page.html.split("<tbody>")[number + 1].partition("</tbody>")[0]
    head = '<!doctype html><html lang="en"><head><title>T</title></head><body>'
    table = Page(f"{head}<table><tbody>{body}</tbody></table></body></html>")
    return [each.text.strip() for each in table.find("tr")]


async def hidden_from_others(world: World, method: str, path: str) -> None:
    """Require that a page does not exist for other users, and asks signed-out ones to sign in."""
    await world.user("bors")
    cookie = await enter(world, "bors@camelot.example.com")
    other = await world.client.request(method, f"/admin{path}", headers={"Cookie": cookie})
    stranger = await world.client.request(method, f"/admin{path}")
    assert other.status_code == 404
    assert (stranger.status_code, stranger.headers["location"].partition("?")[0]) == (303, "/account/sign-in")
