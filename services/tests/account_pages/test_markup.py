"""The HTML of every page, in every state and language: valid, and usable with keyboards, readers and password managers.

The walk covers all pages, also those that are added later. ``Page`` validates what it reads.
"""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any

import pytest
from httpx2 import Response
from turbohtml import HTMLParseError

from accounts.api.account_pages.done_messages import DONE_COOKIE
from accounts.api.account_pages.paths import is_admin_page
from accounts.api.account_pages.results import RESULTS
from accounts.db.session import transaction
from accounts.domain.access_keys.secret import KeyKind
from accounts.domain.access_keys.store import AccessKeyStore
from accounts.models import MailKind, OutboxMail, Role
from accounts.settings import SignUp
from accounts.translations import available_languages
from support.html import Element, Page
from support.operations import PATH_VALUES, Operation, name_of, page_operations, resolve
from support.people import PASSWORD, World

EMAIL = "arthur@camelot.example.com"
PAGES = [each for each in page_operations() if each.method != "head"]
FORMS = {each.url: each for each in PAGES if each.is_form}
URLS = [re.compile(re.sub(r"{\w+}", r"[^/?]+", each.path)) for each in PAGES]
STATES = list(zip(sorted(available_languages()), cycle([SignUp.OPEN, SignUp.INVITED]), strict=False))
VALUES = ("", "<b>&amp;\"'", "x" * 300)
HOUR = timedelta(hours=1)
CHOICES = {"grant_type", "answer", "others", "session", "step"}
PASSWORD_FIELDS = {"password": "new-password", "current_password": "current-password"}


async def cookie_of(world: World) -> str:
    form = {"username": EMAIL, "password": PASSWORD}
    answer = await world.client.post("/account/sign-in", data=form)
    return str(answer.headers["set-cookie"].partition(";")[0])


async def tokens(world: World) -> list[str]:
    """Return tokens of all kinds that a page shows something for, and one of no kind."""
    await world.client.post("/auth/forgot-password", json={"email": EMAIL})
    sign_up = world.state["settings"].sign_up
    world.change_settings(sign_up=SignUp.VERIFIED)
    await world.client.post("/auth/register", json={"email": "rex@example.com"})
    world.change_settings(sign_up=sign_up)
    mails = await world.mails(MailKind.RESET, MailKind.SIGN_UP)
    return ["x" * 43, *(mail.token for mail in mails)]


async def arrange(world: World, operation: Operation) -> str:
    """Store what the page of an operation is about, and return its path. Only superusers see the administration."""
    arthur = await world.user("arthur", superuser=is_admin_page(operation.path))
    lancelot = await world.user("lancelot", display_name="Lancelot <b>")
    group = await world.group("Round <b>", members={arthur: Role.OWNER, lancelot: Role.MEMBER})
    async with transaction(world.sessionmaker) as db:
        key, _ = await AccessKeyStore(db).create(lancelot, KeyKind.PERSONAL, "<b>", ["profile:read"], HOUR)
        mail = OutboxMail(kind=MailKind.RESET, email="<b>@x.org", error="<b>", parked_at=datetime.now(UTC))
        db.add(mail)
    ids = {"group_id": group.id, "user_id": lancelot.id, "token_id": key.id, "mail_id": mail.id}
    return operation.path.format_map(PATH_VALUES | ids)


async def states(world: World, operation: Operation, language: str) -> AsyncIterator[Response]:
    """Yield the responses of a page: signed in and out, with and without tokens, with good and bad fields."""
    path = await arrange(world, operation)
    cookie, known = await cookie_of(world), await tokens(world)
    for sent in ("", cookie):
        headers = {"Accept-Language": language, "Cookie": sent}
        contents: list[dict[str, Any]] = [{}, *({"params": {"token": each, "invitation": each}} for each in known)]
        if not operation.is_safe:
            fields = [name for name in operation.fields() if name not in CHOICES]
            contents = [{"data": dict.fromkeys(fields, each) | {"token": each and known[0]}} for each in VALUES]
        for content in contents:
            yield await world.client.request(operation.method, path, headers=headers, **content)


def required_fields(form: Element) -> set[str]:
    operation = FORMS.get(form.attributes["action"])
    [content] = operation.description["requestBody"]["content"].values() if operation else [{}]
    return set(resolve(content.get("schema", {})).get("required", ()))


def check_page(answer: Response, language: str) -> None:
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    page = Page(answer.text)
    assert page.one("html").attributes["lang"] == language
    check_fields(page)


def check_fields(page: Page) -> None:
    for element in page.find("input"):
        attributes = element.attributes
        name, kind = attributes["name"], attributes["type"]
        assert element.form
        if kind != "hidden" and "readonly" not in attributes and name in required_fields(element.form):
            assert "required" in attributes, name
        if kind == "password":
            own = element.form.attributes["action"].endswith("/sign-in")
            assert attributes["autocomplete"] == ("current-password" if own else PASSWORD_FIELDS[name])
        elif name in {"email", "username"}:
            assert (kind, attributes["inputmode"]) == ("text", "email")
            assert attributes["autocomplete"] in {"username", "username webauthn"}
            assert (attributes["autocapitalize"], attributes["spellcheck"]) == ("none", "false")
    for form in page.find("form"):
        assert any(url.fullmatch(form.attributes["action"]) for url in URLS), form.attributes["action"]


@pytest.mark.parametrize(("language", "sign_up"), STATES)
@pytest.mark.parametrize("operation", PAGES, ids=name_of)
async def test_page_is_valid_html_in_every_state(
    world: World, operation: Operation, language: str, sign_up: SignUp
) -> None:
    world.change_settings(sign_up=sign_up)
    statuses = []
    async for answer in states(world, operation, language):
        statuses.append(answer.status_code)
        assert answer.status_code < 500
        if answer.text and "content-disposition" not in answer.headers:
            check_page(answer, language)
    if is_admin_page(operation.path):  # the superuser has seen it; a key can be revoked once
        assert statuses.count(404) < len(statuses) / 2


async def test_result_is_valid_html(world: World) -> None:
    for language, _ in STATES:
        for name in RESULTS:
            headers = {"Accept-Language": language, "Cookie": f"{DONE_COOKIE}={name}"}
            answer = await world.client.get(f"/account/done/{name}", headers=headers)
            check_page(answer, language)


@pytest.mark.parametrize(
    "faulty",
    [
        '<input requiredaria-describedby="hint">',
        '<input id="x" name="x" type="text">',
        '<label for="none">Name</label>',
        '<p id="hint"></p><p id="hint"></p>',
        '<p class="fault" id="fault">Wrong.</p>',
        '<label for="x">Name</label><input id="x" aria-invalid="true">',
        '<p title="a"class="b"></p>',
        "<p><strong>bold</p>",
        "<p>a &nosuch; b</p>",
        "<div>",
    ],
)
def test_faulty_html_is_noticed(faulty: str) -> None:
    page = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>T</title></head><body>{}</body></html>'
    Page(page.format('<p id="hint">A</p>'))

    with pytest.raises((AssertionError, HTMLParseError)):
        Page(page.format(faulty))
