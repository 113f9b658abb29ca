"""The list of users, its search, and the form that creates a user."""

import pytest

from accounts.models import MailKind
from support.account_pages import enter
from support.admin_pages import Court, court_of, rows
from support.html import Page
from support.people import PASSWORD, World
from support.second_factors import age

HOSTILE = "<script>alert(1)</script> \"'&\u05d0"
NEW = {"email": "bors@camelot.example.com", "display_name": "Bors", "password": "a-grail-in-the-castle"}


@pytest.fixture
async def court(world: World) -> Court:
    return await court_of(world)


def emails(page: Page) -> list[str]:
    return [each.text.partition("@")[0] for each in page.find("a") if "@" in each.text]


def more(page: Page) -> str:
    [link] = [each for each in page.find("a") if each.text == "More"]
    return link.attributes["href"]


def last_sign_in(page: Page, name: str) -> str:
    texts = [each.text.strip() for each in page.find("td", data_label="Last sign-in")]
    return dict(zip(emails(page), texts, strict=True))[name]


async def test_list_shows_users_with_their_state_and_leads_to_each(court: Court) -> None:
    bors = await court.world.user("bors", is_active=False, second_factors=["totp"])

    page = await court.page("/admin/users")

    texts = [each.text for each in page.find("tr")]
    assert emails(page) == ["bors", "arthur", "merlin"]
    assert page.one("a", href=f"/admin/users/{bors.id}").text == bors.email
    assert "Inactive" in texts[1]
    assert "Second factor" in texts[1]
    assert "Email not confirmed" in texts[2]
    assert "Superuser" in texts[3]
    assert "Users" in [each.text for each in page.navigation()]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": " ARTH "}, ["arthur"]),
        ({"q": "arthur@camelot.example.com"}, ["arthur"]),
        ({"q": "pendragon", "by": "name"}, ["uther"]),
        ({"q": "pendragon"}, []),
        ({"show": "superusers"}, ["merlin"]),
        ({"show": "inactive"}, ["uther"]),
        ({"show": "active"}, ["arthur", "merlin"]),
        ({"show": "unverified"}, ["uther", "arthur"]),
        ({"show": "unverified", "q": "u"}, ["uther"]),
        ({"q": "%"}, []),
        ({"q": "\u200b"}, []),
        ({"q": "a\tb"}, []),
        ({"q": "x" * 300}, []),
        ({"q": "\ufdfa" * 100, "by": "name"}, []),
    ],
)
async def test_search_finds_the_beginning_of_an_email_or_a_name(
    court: Court, query: dict[str, str], found: list[str]
) -> None:
    await court.world.user("uther", display_name="Pendragon, Uther", is_active=False)

    page = await court.page("/admin/users", **query)

    assert emails(page) == found
    assert bool(found) is not ("No user matches this search." in page.one("main").text)
    assert page.one("input", name="q").attributes["value"].strip() == query.get("q", "").strip()


async def test_pages_go_on_from_the_newest_user_to_the_oldest(court: Court) -> None:
    bors = await court.world.user("bors")

    first = await court.page("/admin/users", limit=2)
    await court.world.user("kay")
    second = await court.page(more(first))

    assert (emails(first), emails(second)) == (["bors", "arthur"], ["merlin"])
    assert f"/admin/users/{bors.id}" not in [each.attributes["href"] for each in second.find("a")]


async def test_list_shows_the_last_sign_in_also_after_the_sign_out(court: Court) -> None:
    never = last_sign_in(await court.page("/admin/users"), "arthur")
    cookie = await enter(court.world, court.arthur.email)
    await court.world.sql("UPDATE user_session SET created_at = now() - interval '3 days'")
    await court.world.sql("UPDATE known_device SET seen_at = now() - interval '4 days'")
    signed_in = last_sign_in(await court.page("/admin/users"), "arthur")
    await court.post("/account/sign-out", cookie)
    signed_out = last_sign_in(await court.page("/admin/users"), "arthur")

    assert (never, signed_in, signed_out) == ("\u2013", "3 days ago", "4 days ago")


async def test_search_for_an_id_leads_to_the_user(court: Court) -> None:
    answer = await court.get("/admin/users", q=f" {court.arthur.id} ")

    assert (answer.status_code, answer.headers["location"]) == (303, court.user)


async def test_long_list_goes_on_with_the_same_search(court: Court) -> None:
    await court.world.user("arthegall")

    first = await court.page("/admin/users", q="art", limit=1, show="active")
    second = await court.page(more(first))

    assert (emails(first), emails(second)) == (["arthegall"], ["arthur"])
    assert "More" not in [each.text for each in second.find("a")]


@pytest.mark.parametrize("query", [{"cursor": "AAAA"}, {"limit": "0"}])
async def test_forged_query_is_refused_with_a_page(court: Court, query: dict[str, str]) -> None:
    answer = await court.get("/admin/users", **query)

    assert answer.status_code in {400, 422}
    assert Page(answer.text).one("h1").text == "Something went wrong"


@pytest.mark.parametrize("name", ["by", "show"])
async def test_choice_that_does_not_exist_is_an_error_at_its_field(court: Court, name: str) -> None:
    page = Page((await court.get("/admin/users", **{name: "secrets"})).text)

    assert page.one(id=f"{name}-fault").text == "Choose one from the list."
    assert emails(page) == []


async def test_list_takes_the_same_number_of_statements_for_any_number_of_users(court: Court) -> None:
    few = await court.statements("/admin/users")
    for name in ("bors", "kay", "gawain"):
        await court.world.user(name)

    assert await court.statements("/admin/users") == few


async def test_hostile_names_and_searches_are_inert(court: Court) -> None:
    await court.world.user("mordred", display_name=HOSTILE)

    answer = await court.get("/admin/users", q=HOSTILE[:20], by="name")

    assert "<script" not in answer.text
    assert HOSTILE in " ".join(rows(Page(answer.text)))


async def test_created_user_can_sign_in_and_is_shown(court: Court) -> None:
    empty = await court.page("/admin/new-user")
    page = await court.follow(await court.post("/admin/new-user", **NEW, is_verified="true"))

    assert [each.attributes["name"] for each in empty.fields()] == [
        "email", "display_name", "password", "is_verified", "is_superuser"
    ]  # fmt: skip
    assert page.one("h1").text == "Bors"
    assert page.one("p", role="status").text == "The user was created."
    assert "Email not confirmed" not in page.one("main").text
    assert await enter(court.world, NEW["email"], NEW["password"])
    assert MailKind.SUPERUSER_CHANGED not in [mail.kind for mail in await court.world.mails()]


@pytest.mark.parametrize("form", [NEW | {"password": ""}, {"email": NEW["email"], "is_superuser": "true"}])
async def test_created_user_without_a_password_chooses_it_by_a_mailed_link(court: Court, form: dict[str, str]) -> None:
    shown = await court.follow(await court.post("/admin/new-user", **form))
    [token] = [mail.token for mail in await court.world.mails(MailKind.RESET) if mail.email == NEW["email"]]
    chosen = await court.post("/account/reset-password", "", token=token, password=NEW["password"])

    assert shown.one("p", role="status").text == (
        "The user was created, and gets an email with a link to choose a password."
    )
    assert "PasswordNone" in shown.one("dl", class_="facts").text.replace(" ", "").replace("\n", "")
    assert chosen.status_code == 303
    assert await enter(court.world, NEW["email"], NEW["password"])


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"email": "nobody"}, "Enter an email address like name@example.com."),
        ({"email": "ARTHUR@camelot.example.com"}, "Another account now uses this email address."),
        ({"password": "short"}, "A password must have 12 to 128 characters."),
        ({"email": ""}, "Please fill in this field."),
    ],
)
async def test_refused_form_is_shown_again_with_the_fault_at_its_field(
    court: Court, wrong: dict[str, str], fault: str
) -> None:
    refused = await court.post("/admin/new-user", **NEW | wrong, is_superuser="true")

    page = Page(refused.text)
    assert refused.status_code in {400, 422}
    assert fault in page.one(class_="fault").text
    assert page.one("input", name="display_name").attributes["value"] == "Bors"
    assert "checked" in page.one("input", name="is_superuser").attributes
    assert "value" not in page.one("input", name="password").attributes
    assert emails(await court.page("/admin/users")) == ["arthur", "merlin"]


async def test_creating_a_user_asks_for_a_recent_sign_in(court: Court) -> None:
    await age(court.world)

    asked = await court.post("/admin/new-user", **NEW)
    confirmed = await court.world.client.post(
        "/account/confirm",
        data={"current_password": PASSWORD, "next": "/admin/new-user"},
        headers={"Cookie": court.cookie},
    )

    assert asked.headers["location"] == "/account/confirm?next=%2Fadmin%2Fnew-user"
    assert confirmed.headers["location"] == "/admin/new-user"


async def test_form_is_not_shown_at_a_path_of_the_account_pages(court: Court) -> None:
    answer = await court.post("/account/admin/new-user", "", **NEW)

    assert (answer.status_code, Page(answer.text).one("h1").text) == (404, "Page not found")


async def test_cross_site_form_is_refused(court: Court) -> None:
    headers = {"Cookie": court.cookie, "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}

    refused = await court.world.client.post("/admin/new-user", data=NEW, headers=headers)

    assert refused.status_code == 403
    assert emails(await court.page("/admin/users")) == ["arthur", "merlin"]
