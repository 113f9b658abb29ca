"""The audit log as a page: sentences with links, filters, and what it does not show."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.api.admin_pages.sentences import CHANGES, WORDS
from accounts.db.session import transaction
from accounts.domain.audit.log import Action
from accounts.models import AuditEvent, Role, User, UserGroup
from accounts.translations import get_language
from support.administration import HOSTILE, Admin, enter_admin, hidden_from_others, rows
from support.html import Page
from support.people import PASSWORD, World


class Log:
    """The audit log with events of Arthur and of the Round Table, besides Morgana's sign-in."""

    def __init__(self, admin: Admin, arthur: User, group: UserGroup) -> None:
        self.admin, self.world, self.arthur, self.group = admin, admin.world, arthur, group

    async def add(self, action: str, actor: User | None = None, **values: Any) -> None:
        async with self.world.owner() as db:
            db.add(AuditEvent(action=action, actor_id=actor.id if actor else None, **values))

    async def what(self, **query: Any) -> list[str]:
        """Return what happened, by the sentences of a page."""
        page = await self.admin.page("/audit", **query)
        return [re.sub("<.*?>", "", each).strip() for each in re.findall(r"<td>(.*?)\n", page.html)]


@pytest.fixture
async def log(world: World) -> Log:
    admin = await enter_admin(world)
    arthur = await world.user("arthur")
    group = await world.group("Round Table", members={arthur: Role.OWNER})
    await world.sql("TRUNCATE audit_event")
    return Log(admin, arthur, group)


class TestSentences:
    def test_every_action_has_words(self) -> None:
        assert WORDS.keys() == set(Action)

    @pytest.mark.parametrize("language", ["en", "de"])
    def test_sentences_take_the_values_that_events_have(self, language: str) -> None:
        values = dict.fromkeys(("user", "group", "role", "was", "count", "name"), "X")
        for sentence in [*(words.sentence for words in WORDS.values()), *CHANGES.values()]:
            assert "%" not in get_language(language).gettext(sentence) % values

    async def test_event_is_a_sentence_with_links_to_user_group_and_actor(self, log: Log) -> None:
        ids = {"user_id": log.arthur.id, "group_id": log.group.id}
        detail = {"role": "admin", "was": "owner"}
        await log.add("membership.changed", log.admin.user, **ids, address="192.0.2.7", detail=detail)

        page = await log.admin.page("/audit")

        [row] = rows(page)
        sentence = "The role of arthur@camelot.example.com in Round Table was changed from owner to admin"
        assert await log.what() == [sentence]
        assert row.endswith("morgana@camelot.example.com 192.0.2.7")
        for path in (f"users/{log.arthur.id}", f"users/{log.admin.user.id}", f"groups/{log.group.id}"):
            assert page.one("a", href=f"/admin/{path}")

    async def test_cause_without_a_user_is_a_visitor_or_a_program(self, log: Log) -> None:
        await log.add("session.refused", address="192.0.2.7")
        await log.add("pruned", detail={"deleted": {"session": 3, "outbox": 1}})

        cleaned, refused = rows(await log.admin.page("/audit"))

        assert "A command, or the service itself" in cleaned
        assert "outbox: 1, session: 3" in cleaned
        assert "A sign-in as an unknown user was refused" in refused
        assert "A visitor who wasn't signed in 192.0.2.7" in refused

    async def test_deleted_users_and_groups_lead_to_their_events(self, log: Log) -> None:
        gone = uuid.uuid4()
        await log.add("membership.created", user_id=gone, group_id=2**62, detail={"role": "member"})

        page = await log.admin.page("/audit")

        assert await log.what() == [f"a deleted user joined no. {2**62} (deleted) as member"]
        assert page.one("a", href=f"/admin/audit?about={gone}")
        assert page.one("a", href=f"/admin/audit?group={2**62}")

    async def test_changes_of_flags_have_their_own_sentences(self, log: Log) -> None:
        for detail in ({"is_active": False}, {"is_superuser": True}, {}):
            await log.add("user.changed", user_id=log.arthur.id, detail={"changed": [*detail, "x"], **detail})

        assert await log.what() == [
            "The account of arthur@camelot.example.com was changed",
            "arthur@camelot.example.com became a superuser",
            "The account of arthur@camelot.example.com was deactivated",
        ]

    async def test_superuser_rights_are_always_said(self, log: Log) -> None:
        created = {"is_active": True, "is_superuser": True, "is_verified": True}
        await log.add("user.created", user_id=log.arthur.id, detail=created)
        await log.add("user.changed", user_id=log.arthur.id, detail={"changed": [], "is_active": True, **created})

        [changed, added] = await log.what()
        assert "The account of arthur@camelot.example.com was activated" in changed
        for sentence in (changed, added):
            assert "; arthur@camelot.example.com became a superuser" in sentence

    async def test_service_account_is_shown_by_its_name(self, log: Log) -> None:
        async with transaction(log.world.sessionmaker) as db:
            user = await db.get_one(User, log.arthur.id)
            user.email, user.hashed_password = f"{user.id}@service.invalid", "!"
            user.owner_group_id, user.display_name = log.group.id, "Roster sync"
        await log.add("session.started", log.arthur, user_id=log.arthur.id)

        assert await log.what() == ["Roster sync signed in"]

    async def test_action_of_a_later_release_is_shown_by_its_name(self, log: Log) -> None:
        await log.add("100%.odd", user_id=log.arthur.id)

        assert await log.what() == ["100%.odd"]

    async def test_what_changed_is_shown_without_sign_ins(self, log: Log) -> None:
        for action in Action:
            await log.add(action, user_id=log.arthur.id)

        page = await log.admin.page("/audit", action="changes", limit=100)

        left_out = len(Action) - len(rows(page))
        assert left_out == 5
        assert not any(each in page.html for each in ("signed in", "was refused", "signed out on one device"))
        assert page.one("option", selected="").attributes["value"] == "changes"

    async def test_sign_in_shows_the_client_and_no_token(self, log: Log) -> None:
        await log.world.sign_in(log.arthur)

        [row] = rows(await log.admin.page("/audit", action="session.started", about=log.arthur.email))

        assert "arthur@camelot.example.com signed in" in row
        assert row.endswith("127.0.0.1")
        assert PASSWORD not in row

    async def test_sentences_follow_the_language_of_the_browser(self, log: Log) -> None:
        await log.add("group.created", log.arthur, group_id=log.group.id)

        answer = await log.admin.get("/audit", language="de")

        assert "wurde erstellt" in answer.text


class TestFilters:
    async def test_users_are_given_by_email_in_any_case_or_by_id(self, log: Log) -> None:
        await log.add("session.started", log.arthur, user_id=log.arthur.id)
        await log.add("user.deleted", log.admin.user, user_id=uuid.uuid4())

        started = ["arthur@camelot.example.com signed in"]
        assert await log.what(about="Arthur@camelot.example.com") == started
        assert await log.what(by=str(log.arthur.id)) == started
        assert await log.what(by=log.admin.user.email) == ["The account of a deleted user was deleted"]

    async def test_actions_and_groups_are_filtered(self, log: Log) -> None:
        await log.add("recovery_code.used", user_id=log.arthur.id)
        await log.add("group.changed", group_id=log.group.id)

        page = await log.admin.page("/audit", action="recovery_code.used", by="", group="")
        assert len(rows(page)) == 1
        assert page.one("option", selected="").text == "Recovery code used"
        assert await log.what(group=str(log.group.id)) == ["The group Round Table was changed"]

    async def test_days_are_included(self, log: Log) -> None:
        for day in (1, 2, 3):
            await log.add("group.created", group_id=day, at=datetime(2026, 1, day, 23, tzinfo=UTC))

        assert len(await log.what(since="2026-01-02", until="2026-01-02")) == 1
        assert len(await log.what(since="2026-01-02")) == 2
        assert len(await log.what(until="2026-01-02")) == 2
        assert len(await log.what(until="9999-12-31")) == 3

    async def test_further_pages_keep_the_filters(self, log: Log) -> None:
        for number in range(3):
            await log.add("session.started", log.arthur, user_id=log.arthur.id, address=f"192.0.2.{number}")
            await log.add("session.ended", log.arthur, user_id=log.arthur.id)

        first = await log.admin.page("/audit", action="session.started", about=log.arthur.email, limit=2)
        [more] = [each.attributes["href"] for each in first.find("a") if each.text == "Earlier events"]
        [row] = rows(await log.admin.page(more.removeprefix("/admin")))

        assert row.endswith("192.0.2.0")

    async def test_filter_that_is_none_is_refused_at_its_field(self, log: Log) -> None:
        query = {"by": "oberon@x.org", "about": "arthur", "group": "x", "since": "Monday", "until": "2026-02-30"}
        answer = await log.admin.get("/audit", **query)
        page = Page(answer.text)

        assert answer.status_code == 422
        assert {each.attributes["id"] for each in page.find("p", class_="fault")} == {f"{name}-fault" for name in query}
        assert page.one("input", id="since").attributes["value"] == "Monday"
        assert not page.find("table")

    @pytest.mark.parametrize("group", ["0", "-1", "٣", "9" * 19, "1.5"])
    async def test_number_that_no_group_has_is_refused(self, log: Log, group: str) -> None:
        assert (await log.admin.get("/audit", group=group)).status_code == 422

    async def test_empty_log_and_a_search_without_a_match_say_so(self, log: Log) -> None:
        assert "The audit log is empty." in (await log.admin.page("/audit")).html
        page = await log.admin.page("/audit", action="user.deleted")
        assert page.one("a", href="/admin/audit", class_="button quiet").text == "Show everything"

    async def test_api_filters_actions_with_an_underscore(self, log: Log) -> None:
        await log.add("second_factor.refused", user_id=log.arthur.id)
        headers = await log.world.sign_in(log.admin.user)

        response = await log.world.client.get("/audit", params={"action": "second_factor.refused"}, headers=headers)

        assert [event["action"] for event in response.json()] == ["second_factor.refused"]


async def test_hostile_texts_are_inert(log: Log) -> None:
    async with transaction(log.world.sessionmaker) as db:
        (await db.get_one(UserGroup, log.group.id)).name = HOSTILE
        (await db.get_one(User, log.arthur.id)).email = f"{HOSTILE}@x.org"
    detail = {"role": HOSTILE, "was": [HOSTILE], "name": HOSTILE, HOSTILE: {HOSTILE: HOSTILE}}
    for action in Action:
        await log.add(
            action, log.arthur, user_id=log.arthur.id, group_id=log.group.id, address=HOSTILE[:39], detail=detail
        )

    page = await log.admin.page("/audit")

    assert not page.find("script")
    assert "<script" not in page.html


async def test_number_of_statements_does_not_depend_on_the_events(log: Log) -> None:
    await log.add("group.created", log.arthur, user_id=log.arthur.id, group_id=log.group.id)
    few = await log.admin.statements("/audit")
    for number in range(5):
        user, group = await log.world.user(f"knight-{number}"), await log.world.group(f"Group {number}")
        await log.add("group.created", log.arthur, user_id=user.id, group_id=group.id)

    assert await log.admin.statements("/audit") == few


async def test_page_does_not_exist_for_others(world: World) -> None:
    await hidden_from_others(world, "GET", "/audit")


async def test_search_of_last_week_answers_what_changed_since(log: Log) -> None:
    now = datetime.now(UTC)
    await log.add("group.deleted", log.admin.user, group_id=5, at=now - timedelta(days=2))
    await log.add("group.deleted", log.admin.user, group_id=4, at=now - timedelta(days=20))

    since = f"{now - timedelta(days=7):%Y-%m-%d}"
    assert await log.what(since=since) == ["The group no. 5 (deleted) was deleted"]
