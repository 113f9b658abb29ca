"""One user's page, and what superusers can do there."""

import uuid
from typing import Any
from urllib.parse import quote

import pytest

from accounts.api.admin_pages.user_action_table import ACTIONS
from accounts.db.session import transaction
from accounts.domain.rate_limits.gcra import Limit
from accounts.domain.rate_limits.rules import RULES, Attempt, Rule
from accounts.domain.service_accounts.accounts import ServiceAccountManager
from accounts.models import Role, Visibility
from accounts.schemas.service_accounts import ServiceAccountCreate
from support.account_pages import alert, enter
from support.admin_pages import Court, court_of
from support.html import Page
from support.passkeys import with_passkey
from support.people import World
from support.second_factors import age, user_with_app

HOSTILE = "<script>alert(1)</script> \"'&\u05d0"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/130.0"
UNKNOWN = f"/admin/users/{uuid.UUID(int=1)}"
# What leaves a user in the state that an action is for.
BEFORE = {
    "activate": "is_active = false",
    "reset-factors": "second_factors = '{totp}'",
    "revoke-superuser": "is_superuser = true",
}


@pytest.fixture
async def court(world: World) -> Court:
    return await court_of(world)


async def prepare(court: Court, action: str) -> None:
    if action in BEFORE:
        await court.world.sql(f"UPDATE \"user\" SET {BEFORE[action]} WHERE email LIKE 'arthur%'")  # noqa: S608


async def store_much(court: Court, text: str, number: int = 1) -> None:
    """Store sessions, passkeys, identities, keys, mails, groups and events of Arthur, with a text in each."""
    for each in range(number):
        await court.world.group(f"{text} {each}", Visibility.PRIVATE, members={court.arthur: Role.OWNER})
    quoted, name = text.replace("'", "''"), text[:40].replace("'", "''")
    day = "now() + interval '1 day'"
    tables = {
        "user_session (kind, token_hash, expires_at, user_agent, address, aal, user_id, id)": (
            f"'bearer', 'hidden-hash', {day}, '{quoted}', '192.0.2.9', 2"
        ),
        "passkey (credential_id, public_key, sign_count, name, transports, backup_eligible, user_id, id)": (
            f"uuid_send(gen_random_uuid()), 'hidden-key', 0, '{name}', '{{}}', true"
        ),
        "external_identity (provider, issuer, subject, email, user_id, id)": (
            f"'Avalon', 'https\\://avalon.example/' || gen_random_uuid(), 'subject', '{quoted}'"
        ),
        "access_key (name, secret_hash, scopes, expires_at, last_used_at, last_used_address, user_id, id)": (
            f"'{name}', 'hidden-secret', '{{groups\\:read}}', {day}, now(), '192.0.2.7'"
        ),
        "outbox (kind, email, error, parked_at, user_id, id)": f"'verify', '{quoted}', '550 {quoted}', now()",
        "audit_event (action, address, user_id, actor_id)": "'user.changed', '192.0.2.1'",
    }
    for table, values in tables.items():
        id_ = "u.id" if table.startswith("audit") else "gen_random_uuid()"
        await court.world.sql(
            f"INSERT INTO {table} SELECT {values}, u.id, {id_} "  # noqa: S608  # by the tests
            f"FROM \"user\" u, generate_series(1, {number}) WHERE u.email = 'arthur@camelot.example.com'"
        )


def actions(page: Page) -> list[str]:
    links = [
        each.attributes["href"].rpartition("/")[2]
        for each in page.find("a")
        if "small" in each.attributes.get("class", "")
    ]
    return [each for each in links if each in ACTIONS]


class TestPage:
    async def test_it_tells_the_whole_story(self, court: Court) -> None:
        group = await court.world.group("Round Table", members={court.arthur: Role.ADMIN})
        await store_much(court, FIREFOX)
        await court.world.access_key(court.arthur, "profile:read")

        page = await court.page()

        text = page.one("main").text
        assert page.one("h1").text == "Arthur"
        assert page.find("a", href=f"/admin/groups/{group.id}")
        for shown in (
            str(court.arthur.id), court.arthur.email, "Admin", "Firefox on Linux", "192.0.2.9", "Passkey", "Avalon",
            "groups:read", "192.0.2.7", "nightly report", "Never", "Parked", "550 ", "was changed",
        ):  # fmt: skip
            assert shown in text, shown
        for query in ("action=session.started&about", "about", "by"):
            assert page.one("a", href=f"/admin/audit?{query}={court.arthur.id}")
        [mail] = [each for each in page.find("a") if each.attributes["href"].startswith("/admin/mail/")]
        assert (await court.get(mail.attributes["href"])).status_code == 200

    async def test_of_thousands_of_sessions_the_newest_are_shown(self, court: Court) -> None:
        await court.world.sql(
            "INSERT INTO user_session (id, user_id, kind, token_hash, expires_at, user_agent, address, scopes, aal) "
            "SELECT gen_random_uuid(), id, 'cookie', sha256(n::text::bytea), now() + interval '1 h', '', '', '{}', 1 "
            "FROM \"user\", generate_series(1, 3000) AS n WHERE email LIKE 'arthur%'"
        )

        page = await court.page()

        assert len(page.find("button", name="session")) == 100
        assert "Only the newest 100 are shown." in page.one("main").text

    async def test_nothing_secret_is_shown(self, court: Court) -> None:
        await store_much(court, "key")
        key = await court.world.access_key(court.arthur, "profile:read")
        await court.post(f"{court.user}/links", purpose="reset")

        answer = await court.get(court.user)

        hidden = ["hidden-", "argon2", (await court.stored()).hashed_password, key["Authorization"][7:]]
        hidden += [mail.token for mail in await court.world.mails() if mail.token]
        assert [each for each in hidden if each in answer.text] == []
        assert answer.headers["cache-control"] == "no-store"

    async def test_user_who_has_nothing_is_shown_too(self, court: Court) -> None:
        text = (await court.page()).one("main").text

        for shown in ("isn't a member", "isn't signed in", "no second factor", "no access tokens", "No mail"):
            assert shown in text

    async def test_authenticator_app_and_recovery_codes_are_shown(self, world: World) -> None:
        court = Court(world, await world.user("merlin", superuser=True), await world.user("kay"), "")
        court.cookie = await enter(world, court.merlin.email)
        phone = await user_with_app(world)
        user_id = (await world.client.get("/users/me", headers=phone.headers)).json()["id"]

        text = (await court.page(f"/admin/users/{user_id}")).one("main").text

        assert "Authenticator app" in text
        assert "Recovery codes left: 10" in text

    async def test_waiting_and_retried_mails_and_expired_keys_are_told_apart(self, court: Court) -> None:
        await store_much(court, "x", 2)
        await court.world.sql("UPDATE outbox SET parked_at = NULL, next_at = now() + interval '1 hour'")
        await court.world.sql(
            "UPDATE outbox SET error = '', next_at = now() WHERE id = (SELECT min(id\\:\\:text)\\:\\:uuid FROM outbox)"
        )
        await court.world.sql("UPDATE access_key SET expires_at = now()")

        text = (await court.page()).one("main").text

        assert "Waits for the worker" in text
        assert "Will be tried again" in text
        assert "Expired" in text

    async def test_events_are_sentences_that_lead_to_who_did_it_and_where(self, court: Court) -> None:
        group = await court.world.group("Round Table", members={court.arthur: Role.OWNER})
        await court.world.sql(
            "INSERT INTO audit_event (action, user_id, actor_id, group_id, detail) "
            """SELECT 'membership.created', a.id, m.id, g.id, '{"role"\\: "owner"}' """
            "FROM user_group g, \"user\" a, \"user\" m WHERE a.email LIKE 'arthur%' AND m.email LIKE 'merlin%'"
        )
        await court.world.sql("UPDATE audit_event SET action = 'of.another.release' WHERE action = 'user.created'")

        page = await court.page()

        text = page.one("main").text
        assert "of.another.release" in text
        assert "Round Table as owner" in text
        assert page.find("a", href=f"/admin/groups/{group.id}")
        assert page.find("a", href=f"/admin/users/{court.merlin.id}")

    async def test_hostile_text_is_inert(self, court: Court) -> None:
        await store_much(court, HOSTILE)
        await court.world.sql("UPDATE \"user\" SET display_name = '<script>' WHERE email LIKE 'arthur%'")

        answer = await court.get(court.user)
        title = await court.get(f"{court.user}/delete")

        for each in (answer, title):
            assert "<script" not in each.text
            assert "script-src" not in each.headers["content-security-policy"]
        assert Page(answer.text).one("main").text.count("alert(1)") >= 6
        assert Page(title.text).one("h1").text == "Delete <script>?"

    async def test_number_of_statements_does_not_depend_on_the_user(self, court: Court) -> None:
        few = await court.statements(court.user)
        await store_much(court, "x", 5)

        assert await court.statements(court.user) == few

    async def test_many_groups_go_on_on_further_pages(self, court: Court) -> None:
        await store_much(court, "Table", 2)

        first = await court.page(court.user, limit=1)
        [more] = [each.attributes["href"] for each in first.find("a") if each.text == "More groups"]

        assert "Table 0" in first.one("main").text
        assert "Table 1" in (await court.page(more)).one("main").text

    async def test_service_account_has_only_what_applies(self, court: Court) -> None:
        group = await court.world.group("Round Table", members={court.arthur: Role.OWNER})
        async with transaction(court.world.sessionmaker) as db:
            squire = await ServiceAccountManager(db).create(group.id, ServiceAccountCreate(name="Squire"), court.arthur)

        page = await court.page(f"/admin/users/{squire.id}")

        assert "Service account" in page.one("main").text
        assert actions(page) == ["sign-out", "revoke-keys", "deactivate"]
        assert page.find("a", href=f"/admin/groups/{group.id}")
        assert not page.find("button", name="purpose")


class TestActions:
    @pytest.mark.parametrize("name", ACTIONS)
    async def test_page_says_what_happens_and_changes_nothing(self, court: Court, name: str) -> None:
        await prepare(court, name)

        assert name in actions(await court.page())
        page = await court.page(f"{court.user}/{name}")

        for effect in ACTIONS[name].effects:
            assert effect in page.one("main").text
        assert "Arthur" in page.one("h1").text
        assert page.find("form")[-1].attributes["action"] == f"{court.user}/{name}"
        assert await court.events() == []

    @pytest.mark.parametrize(
        ("name", "events"),
        [
            ("activate", ["user.changed"]),
            ("verify-email", ["user.changed"]),
            ("require-new-password", ["password.changed", "password.required", "sessions.revoked"]),
            ("sign-out", ["sessions.revoked"]),
            ("reset-factors", ["sessions.revoked", "factors.reset"]),
            ("revoke-keys", ["tokens.revoked"]),
            ("grant-superuser", ["user.changed"]),
            ("revoke-superuser", ["user.changed"]),
            ("deactivate", ["user.changed", "sessions.revoked"]),
            ("delete", ["user.deleted"]),
        ],
    )
    async def test_action_is_done_recorded_and_reported(self, court: Court, name: str, events: list[str]) -> None:
        await court.world.sign_in(court.arthur)
        if name == "revoke-keys":
            await court.world.access_key(court.arthur, "profile:read")
        await prepare(court, name)

        done = await court.post(f"{court.user}/{name}", typed_email=" ARTHUR@camelot.example.com ")

        assert [each for each in await court.events() if each != "token.created"] == events
        page = await court.follow(done)
        assert page.one("p", role="status").text
        assert done.headers["location"] == ("/admin/users" if name == "delete" else court.user)

    @pytest.mark.parametrize("name", ["activate", "reset-factors", "revoke-superuser"])
    async def test_action_that_no_longer_applies_leads_to_the_user(self, court: Court, name: str) -> None:
        asked, posted = await court.get(f"{court.user}/{name}"), await court.post(f"{court.user}/{name}")

        assert [each.headers["location"] for each in (asked, posted)] == [court.user] * 2
        assert await court.events() == []

    async def test_deactivated_user_is_signed_out_and_activated_again(self, court: Court) -> None:
        headers = await court.world.sign_in(court.arthur)

        await court.post(f"{court.user}/deactivate")
        ended = await court.world.client.get("/users/me", headers=headers)
        refused = await court.world.login(court.arthur)
        await court.post(f"{court.user}/activate")

        assert (ended.status_code, refused.status_code) == (401, 400)
        assert (await court.world.login(court.arthur)).status_code == 200

    @pytest.mark.parametrize("typed", ["", "merlin@camelot.example.com", "arthur"])
    async def test_user_is_deleted_only_if_the_email_is_typed(self, court: Court, typed: str) -> None:
        refused = await court.post(f"{court.user}/delete", typed_email=typed)

        page = Page(refused.text)
        assert refused.status_code == 422
        assert page.one(class_="fault").text == "This isn't the email address of the account."
        assert page.one("input", name="typed_email").attributes["aria-invalid"] == "true"
        assert await court.stored()

    @pytest.mark.parametrize("name", ["deactivate", "delete"])
    async def test_superuser_takes_over_the_groups_of_a_user_who_is_not_to_come_back(
        self, court: Court, name: str
    ) -> None:
        groups = [await court.world.group(f"Table {n}", members={court.arthur: Role.OWNER}) for n in range(3)]
        form = {"typed_email": court.arthur.email, "take_over": "true"}

        answer = await court.post(f"{court.user}/{name}", **form)

        assert answer.status_code == 303
        for group in groups:
            page = await court.page(f"/admin/groups/{group.id}")
            assert page.find("ul", class_="people")[0].text.startswith("Merlin")
        assert (await court.events()).count("membership.created") == 0
        taken = await court.world.client.get("/audit?action=membership.created", headers={"Cookie": court.cookie})
        assert [event["actor_id"] for event in taken.json()[:3]] == [str(court.merlin.id)] * 3

    @pytest.mark.parametrize("name", ["deactivate", "delete"])
    async def test_last_owner_is_refused_with_links_to_the_groups(self, court: Court, name: str) -> None:
        group = await court.world.group("Round <Table>", members={court.arthur: Role.OWNER})

        refused = await court.post(f"{court.user}/{name}", typed_email=court.arthur.email)

        assert refused.status_code == 409
        assert alert(refused) == "A group needs an active owner. Give another member the owner role first."
        assert Page(refused.text).one("a", href=f"/admin/groups/{group.id}").text == "Round <Table>"
        assert (await court.stored()).is_active
        assert await court.events() == []

    @pytest.mark.parametrize("name", ["deactivate", "delete", "revoke-superuser"])
    async def test_last_superuser_is_refused(self, court: Court, name: str) -> None:
        path = f"/admin/users/{court.merlin.id}/{name}"

        refused = await court.post(path, typed_email=court.merlin.email)

        assert refused.status_code == 409
        assert "last active superuser" in alert(refused)
        assert (await court.get("/admin/users")).status_code == 200

    @pytest.mark.parametrize("name", ACTIONS)
    async def test_action_asks_for_a_recent_sign_in_and_comes_back(self, court: Court, name: str) -> None:
        await prepare(court, name)
        await age(court.world)

        answers = (
            await court.get(f"{court.user}/{name}"),
            await court.post(f"{court.user}/{name}", typed_email=court.arthur.email),
        )

        back = quote(f"{court.user}/{name}", safe="")
        assert [each.headers["location"] for each in answers] == [f"/account/confirm?next={back}"] * 2
        assert await court.events() == []

    async def test_unknown_users_and_actions_are_not_found(self, court: Court) -> None:
        paths = [UNKNOWN, f"{UNKNOWN}/delete", f"{court.user}/enchant", f"{court.user}/keys/{uuid.UUID(int=1)}"]

        answers = [await court.get(path) for path in paths]

        assert [each.status_code for each in answers] == [404] * 4
        assert "This user doesn't exist, or was deleted." in Page(answers[0].text).one("main").text
        assert (await court.post(f"{court.user}/enchant")).status_code == 404


class TestSessionsAndKeys:
    async def test_one_session_is_ended(self, court: Court) -> None:
        kept, ended = await enter(court.world), await enter(court.world)
        page = await court.page()
        session = page.find("button", name="session")[0].attributes["value"]

        done = await court.post(f"{court.user}/sessions", session=session)

        assert (await court.follow(done)).one("p", role="status").text == "The device was signed out."
        left = [(await court.get("/account", each)).status_code for each in (kept, ended)]
        assert sorted(left) == [200, 303]
        assert await court.events() == ["session.ended"]

    async def test_ending_a_session_asks_for_a_recent_sign_in_and_leads_back(self, court: Court) -> None:
        await enter(court.world)
        session = (await court.page()).one("button", name="session").attributes["value"]
        await age(court.world)

        asked = await court.post(f"{court.user}/sessions", session=session)

        assert asked.headers["location"].endswith(f"next=%2Fadmin%2Fusers%2F{court.arthur.id}")
        assert await court.events() == []

    async def test_session_of_another_user_is_not_ended(self, court: Court) -> None:
        own = (await court.page(f"/admin/users/{court.merlin.id}")).one("button", name="session").attributes["value"]

        refused = await court.post(f"{court.user}/sessions", session=own)

        assert refused.status_code == 404
        assert "This session has ended already." in refused.text

    async def test_one_key_is_revoked(self, court: Court) -> None:
        kept = await court.world.access_key(court.arthur, "profile:read")
        ended = await court.world.access_key(court.arthur, "profile:read")
        [link, _] = [each for each in (await court.page()).find("a") if each.text == "Revoke"]

        path = link.attributes["href"]
        page = await court.page(path)
        done = await court.post(path)

        assert page.one("h1").text == "Revoke the access token nightly report of Arthur?"
        assert (await court.follow(done)).one("p", role="status").text == "The access token was revoked."
        codes = [(await court.world.client.get("/users/me", headers=each)).status_code for each in (kept, ended)]
        assert codes == [200, 401]
        assert await court.events() == ["token.revoked"]
        assert (await court.post(path)).status_code == 404


class TestLinks:
    @pytest.mark.parametrize("purpose", ["verify", "reset"])
    async def test_link_is_mailed_and_recorded(self, court: Court, purpose: str) -> None:
        done = await court.post(f"{court.user}/links", purpose=purpose)

        page = await court.follow(done)
        [mail] = await court.world.mails()
        assert (mail.kind, mail.email) == (purpose, court.arthur.email)
        assert "sent by email" in page.one("p", role="status").text
        assert "Waits for the worker" in page.one("main").text
        assert await court.events() == ["link.sent"]

    async def test_link_is_sent_although_a_stranger_used_up_the_requests_of_the_address(self, court: Court) -> None:
        court.world.change_settings(throttle_scale=1)
        stranger, email = court.world.client_at("203.0.113.9"), {"email": court.arthur.email}
        requests = [await stranger.post("/auth/request-verify-token", json=email) for _ in range(6)]

        answer = await court.post(f"{court.user}/links", purpose="reset")

        assert (requests[-1].status_code, answer.status_code) == (429, 303)

    async def test_links_count_as_mail_that_the_superuser_causes(
        self, court: Court, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rule = Rule(RULES[Attempt.MAIL_OTHERS].group, account=(Limit(2, 60),))
        monkeypatch.setitem(RULES, Attempt.MAIL_OTHERS, rule)
        court.world.change_settings(throttle_scale=1)

        answers = [await court.post(f"{court.user}/links", purpose="reset") for _ in range(3)]

        assert [each.status_code for each in answers] == [303, 303, 429]

    @pytest.mark.parametrize("state", ["is_active = false", "is_verified = true"])
    async def test_link_that_would_not_work_is_not_sent(self, court: Court, state: str) -> None:
        await court.world.sql(f"UPDATE \"user\" SET {state} WHERE email LIKE 'arthur%'")  # noqa: S608

        done = await court.post(f"{court.user}/links", purpose="verify")

        assert done.headers["location"] == court.user
        assert not (await court.page()).find("button", value="verify")
        assert await court.world.mails() == []

    async def test_link_of_another_kind_is_refused(self, court: Court) -> None:
        assert (await court.post(f"{court.user}/links", purpose="undo_email")).status_code == 422


class TestAccess:
    def paths(self, court: Court) -> list[tuple[str, str]]:
        pages = ["/admin/users", "/admin/new-user", court.user, f"{court.user}/delete", UNKNOWN]
        keys = f"{court.user}/keys/{uuid.UUID(int=1)}"
        posts = ["/admin/new-user", f"{court.user}/deactivate", f"{court.user}/links", f"{court.user}/sessions", keys]
        return [*(("GET", each) for each in (*pages, keys)), *(("POST", each) for each in posts)]

    async def test_other_users_find_no_page(self, court: Court) -> None:
        arthur = await enter(court.world)

        for method, path in self.paths(court):
            refused = await (court.get if method == "GET" else court.post)(path, arthur)

            assert (refused.status_code, Page(refused.text).one("h1").text) == (404, "Page not found"), path

    async def test_signed_out_user_is_led_to_the_sign_in(self, court: Court) -> None:
        for method, path in self.paths(court):
            asked = await (court.get if method == "GET" else court.post)(path, "")

            assert asked.headers["location"].partition("?")[0] == "/account/sign-in", path

    async def test_superuser_who_is_demoted_meanwhile_is_refused_at_the_next_click(self, court: Court) -> None:
        assert (await court.get(f"{court.user}/deactivate")).status_code == 200
        await court.world.sql("UPDATE \"user\" SET is_superuser = false WHERE email LIKE 'merlin%'")

        refused = [await court.post(f"{court.user}/deactivate"), await court.get(court.user)]

        assert [each.status_code for each in refused] == [404, 404]
        assert (await court.stored()).is_active

    async def test_level_two_is_asked_for_where_it_is_required(self, court: Court) -> None:
        court.world.change_settings(superuser_aal=2)
        await court.world.sql("UPDATE \"user\" SET second_factors = '{totp}' WHERE email LIKE 'merlin%'")

        asked = [await (court.get if method == "GET" else court.post)(path) for method, path in self.paths(court)]
        await court.world.raise_level(court.merlin)

        assert {each.headers["location"].partition("?")[0] for each in asked} == {"/account/confirm"}
        assert (await court.get(court.user)).status_code == 200

    async def test_superuser_without_a_second_factor_is_told_to_add_one_where_it_is_required(
        self, court: Court
    ) -> None:
        court.world.change_settings(superuser_aal=2)

        refused = await court.get(court.user)

        assert refused.status_code == 403
        assert "This needs a second factor." in refused.text

    async def test_access_keys_and_tokens_open_no_page(self, court: Court) -> None:
        key = await court.world.access_key(court.merlin, "users:read")

        answer = await court.world.client.get(court.user, headers=key)

        assert answer.status_code in {303, 403}


async def test_passkey_of_a_user_is_named(court: Court) -> None:
    bedivere: Any = await with_passkey(court.world, "bedivere")
    user_id = (await court.world.client.get("/users/me", headers=bedivere.headers)).json()["id"]

    assert "Phone" in (await court.page(f"/admin/users/{user_id}")).one("main").text


async def test_pages_are_in_the_language_of_the_browser(court: Court) -> None:
    headers = {"Cookie": court.cookie, "Accept-Language": "de"}
    paths = ("/admin/users", "/admin/new-user", court.user, f"{court.user}/deactivate")

    pages = [Page((await court.world.client.get(path, headers=headers)).text) for path in paths]

    assert [each.one("h1").text for each in pages] == ["Konten", "Konto erstellen", "Arthur", "Arthur deaktivieren?"]
    assert [each.text for each in pages[2].find("h2")] == [
        "Gruppen", "Geräte und Sitzungen", "Zweite Faktoren", "Zugriffstoken", "E-Mail", "Aktivität"
    ]  # fmt: skip
