"""The page of the user's own activity: events in words, of all actions, in all languages."""

from typing import Any

import pytest
from sqlalchemy import insert

from accounts.api.account_pages.events import ABOUT_OTHERS, SENTENCES, UNKNOWN, describe_event
from accounts.db.session import transaction
from accounts.domain.audit.log import Action
from accounts.models import AuditEvent, Role, User
from accounts.schemas.audit import PersonalEvent
from accounts.translations import Language, list_languages
from support.account_pages import enter, get, post
from support.html import Page
from support.people import World
from support.schema import recorded_statements

HOSTILE = "<script>alert(1)</script>\"'&\u202e"


@pytest.fixture
async def arthur(world: World) -> User:
    return await world.user("arthur")


async def store(world: World, *events: dict[str, object]) -> None:
    async with transaction(world.sessionmaker) as db:
        await db.exec(insert(AuditEvent).values([{"detail": {}, "address": ""} | event for event in events]))


async def rows(world: World, cookie: str, path: str = "/activity") -> list[str]:
    page = Page((await get(world, path, cookie)).text)
    return [row.text for row in page.find("tr")[1:]]


def test_every_action_has_a_sentence_of_its_own() -> None:
    assert SENTENCES.keys() == set(Action)
    assert ABOUT_OTHERS.keys() <= set(Action)
    assert len({*SENTENCES.values()}) == len(SENTENCES)


@pytest.mark.parametrize("language", [each for each in list_languages() if each.tag != "en"], ids=lambda each: each.tag)
def test_every_sentence_is_translated(language: Language) -> None:
    texts = [*SENTENCES.values(), *ABOUT_OTHERS.values(), UNKNOWN]

    assert [text for text in texts if language.gettext(text) == text] == []


@pytest.mark.parametrize(
    ("about", "sentence"),
    [
        ({"by_me": True, "to_me": True}, "Account changed"),
        ({"by_me": True, "to_me": False}, "User changed"),
        ({"by_me": False, "to_me": True}, "Account changed"),
    ],
)
def test_sentence_says_whom_the_action_affected(about: dict[str, Any], sentence: str) -> None:
    event = PersonalEvent.model_construct(
        action="user.changed", detail={"changed": ["language", "is_active", "newer"]}, **about
    )

    text = describe_event(event)

    assert text.sentence == sentence
    assert text.details == ["Account active or deactivated", "Language"]


def test_action_of_another_version_has_a_sentence() -> None:
    event = PersonalEvent.model_construct(action="dragon.slain", by_me=True, to_me=True, detail={})

    assert describe_event(event) == (UNKNOWN, [])


async def test_events_are_shown_with_time_address_and_device(world: World, arthur: User) -> None:
    form = {"username": arthur.email, "password": "guinevere-and-lancelot"}
    headers = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
    signed_in = await world.client.post("/account/sign-in", data=form, headers=headers)
    cookie = signed_in.headers["set-cookie"].partition(";")[0]
    await post(world, "/profile", cookie, display_name="Rex", language="browser")

    answer = await get(world, "/activity", cookie)

    page = Page(answer.text)
    changed, started, created = page.find("tr")[1:]
    assert "Account changed" in changed.text
    assert "Name" in changed.text
    assert "Firefox on Linux · 127.0.0.1" in started.text
    assert "Account created" in created.text
    assert "By another user, or by the service itself" in created.text
    assert len(page.find("time")) == 3


async def test_sign_in_keeps_its_device_when_the_session_has_ended(world: World, arthur: User) -> None:
    await world.client.post(
        "/auth/jwt/login",
        data={"username": arthur.email, "password": "guinevere-and-lancelot"},
        headers={"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1"},
    )
    await world.sql("DELETE FROM user_session")

    [started] = [row for row in await rows(world, await enter(world)) if "iPhone" in row]

    assert "Safari on iPhone" in started


async def test_failed_sign_in_shows_where_it_came_from(world: World, arthur: User) -> None:
    await post(world, "/sign-in", username=arthur.email, password="not-the-password")

    [refused] = [row for row in await rows(world, await enter(world)) if "refused" in row]

    assert "127.0.0.1" in refused


async def test_group_has_a_name_and_a_link_while_the_user_belongs_to_it(world: World, arthur: User) -> None:
    kay = await world.user("kay")
    mine = await world.group(HOSTILE, members={arthur: Role.OWNER})
    other = await world.group("Secret", members={kay: Role.OWNER})
    await store(
        world,
        {"action": Action.GROUP_CHANGED, "actor_id": arthur.id, "group_id": mine.id},
        {"action": Action.MEMBERSHIP_DELETED, "actor_id": kay.id, "user_id": arthur.id, "group_id": other.id},
    )

    answer = await get(world, "/activity", await enter(world))

    page = Page(answer.text)
    assert page.one("a", href=f"/account/groups/{mine.id}").text == HOSTILE
    assert not page.find("script")
    assert "Secret" not in answer.text
    assert str(kay.id) not in answer.text


async def test_hostile_name_of_a_passkey_is_inert(world: World, arthur: User) -> None:
    event = {"action": Action.PASSKEY_ADDED, "actor_id": arthur.id, "user_id": arthur.id, "detail": {"name": HOSTILE}}
    await store(world, event)

    page = Page((await get(world, "/activity", await enter(world))).text)

    assert HOSTILE in [each.text for each in page.find("p", class_="hint")]
    assert not page.find("script")


async def test_every_action_is_shown_in_every_language(world: World, arthur: User) -> None:
    cookie = await enter(world)
    await store(world, *({"action": action, "user_id": arthur.id} for action in Action))

    for language in list_languages():
        answer = await world.client.get(
            "/account/activity?limit=100", headers={"Cookie": cookie, "Accept-Language": language.tag}
        )
        text = Page(answer.text).one("tbody").text
        assert all(language.gettext(sentence) in text for sentence in SENTENCES.values())


async def test_pages_go_on_to_the_oldest_event(world: World, arthur: User) -> None:
    cookie = await enter(world)
    await store(world, *({"action": Action.GROUP_CREATED, "actor_id": arthur.id} for _ in range(3)))

    path, seen = "/activity?limit=2", 0
    while path:
        page = Page((await get(world, path, cookie)).text)
        seen += len(page.find("tr")) - 1
        links = [each.attributes["href"] for each in page.find("a") if "cursor=" in each.attributes["href"]]
        path = f"{links[0]}&limit=2".removeprefix("/account") if links else ""

    assert seen == 5
    assert page.one("a", href="/account/activity").text == "Newest activity"


async def test_activity_of_others_is_not_shown(world: World, arthur: User) -> None:
    kay = await world.user("kay")
    await store(world, {"action": Action.PASSKEY_ADDED, "actor_id": kay.id, "user_id": kay.id})

    assert not [row for row in await rows(world, await enter(world, arthur.email)) if "Passkey" in row]


async def test_empty_page_leads_to_the_newest_activity(world: World, arthur: User) -> None:
    cookie = await enter(world, arthur.email)
    page = Page((await get(world, "/activity?limit=1", cookie)).text)
    [link] = [each.attributes["href"] for each in page.find("a") if "cursor=" in each.attributes["href"]]
    await world.sql("DELETE FROM audit_event")

    empty = Page((await get(world, link.removeprefix("/account"), cookie)).text)

    assert "No activity to show." in empty.one(class_="empty").text
    assert empty.find("a", href="/account/activity", class_="button quiet")
    assert not Page((await get(world, "/activity", cookie)).text).find("a", href="/account/activity")


async def test_signed_out_user_signs_in_first(world: World) -> None:
    assert (await get(world, "/activity")).headers["location"] == "/account/sign-in?next=%2Factivity"


async def test_cursor_of_another_list_is_refused(world: World, arthur: User) -> None:
    assert (await get(world, "/activity?cursor=nonsense", await enter(world, arthur.email))).status_code == 400


async def test_page_takes_as_many_statements_for_many_events(world: World, arthur: User) -> None:
    group = await world.group("Round Table", members={arthur: Role.OWNER})
    cookie = await enter(world)
    counts = []
    for events in (1, 30):
        await store(world, *({"action": "group.changed", "actor_id": arthur.id, "group_id": group.id},) * events)
        async with transaction(world.sessionmaker) as db, recorded_statements(db) as run:
            await get(world, "/activity", cookie)
        counts.append(len(run))

    assert counts[0] == counts[1]
