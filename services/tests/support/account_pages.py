"""The account pages, as a browser without scripts requests them."""

from typing import Any

from httpx2 import Response

from accounts.api.account_pages.done_messages import DONE_COOKIE
from accounts.api.session_cookie import COOKIE
from support.html import Page
from support.people import PASSWORD, World

ARTHUR = "arthur@camelot.example.com"


async def get(world: World, path: str, cookie: str = "") -> Response:
    return await world.client.get(f"/account{path}", headers={"Cookie": cookie} if cookie else {})


async def post(world: World, path: str, cookie: str = "", **form: Any) -> Response:
    return await world.client.post(f"/account{path}", data=form, headers={"Cookie": cookie} if cookie else {})


async def enter(world: World, email: str = ARTHUR, password: str = PASSWORD) -> str:
    answer = await post(world, "/sign-in", username=email, password=password)
    assert answer.status_code == 303, answer.text
    cookie: str = answer.headers["set-cookie"].partition(";")[0]
    return cookie


def cookie_after(answer: Response) -> str:
    """Return the session's cookie that an answer sets."""
    [cookie] = [each for each in answer.headers.get_list("set-cookie") if each.startswith(f"{COOKIE}=")]
    return str(cookie.partition(";")[0])


def done_cookie(answer: Response) -> str:
    """Return the cookie that names what an answer did, for the next page."""
    [cookie] = [each for each in answer.headers.get_list("set-cookie") if each.startswith(f"{DONE_COOKIE}=")]
    return str(cookie.partition(";")[0])


def what_was_done(answer: Response) -> str:
    """Return the name of the text about what an answer did."""
    return done_cookie(answer).partition("=")[2].partition(":")[0]


async def message(world: World, answer: Response, cookie: str) -> str:
    """Return the message of the page to which an answer leads."""
    page = await world.client.get(answer.headers["location"], headers={"Cookie": f"{cookie}; {done_cookie(answer)}"})
    return Page(page.text).one("p", class_="message").text


def alert(answer: Response) -> str:
    return " ".join(each.text.strip() for each in Page(answer.text).find(role="alert"))
