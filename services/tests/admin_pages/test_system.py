"""The state of the service as a page, without secrets."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from accounts.api.admin_pages.settings_words import duration
from accounts.api.admin_pages.system import readable_size
from accounts.db.session import transaction
from accounts.domain.sessions.access_tokens import key_ring
from accounts.settings import SignUp
from accounts.translations import get_language
from support.administration import Admin, enter_admin, hidden_from_others, rows
from support.people import World
from support.processes import SECRET

KEYS, PROCESSES, TABLES = range(3)


@pytest.fixture
async def admin(world: World) -> Admin:
    return await enter_admin(world)


async def test_page_shows_versions_and_revision(admin: Admin) -> None:
    facts = (await admin.page("/system")).find("dl", class_="facts")[0].text
    async with transaction(admin.world.sessionmaker) as db:
        connection = await db.connection()
        revision = await connection.scalar(text("SELECT version_num FROM alembic_version"))
        version = await connection.scalar(text("SHOW server_version"))

    assert all(each in facts for each in (revision, version, "3.", admin.world.app.version))


async def test_ready_service_says_so(admin: Admin) -> None:
    page = await admin.page("/system")

    assert [each.text for each in page.find("span", class_="badge good")] == ["Ready", "Signs now"]
    assert "Not ready" not in page.html


async def test_reason_is_shown_if_the_service_is_not_ready(admin: Admin) -> None:
    await admin.world.sql("UPDATE alembic_version SET version_num = 'older'")

    assert "The schema is at older, but this version needs" in (await admin.page("/system")).html


async def test_missing_worker_is_noticed(admin: Admin) -> None:
    assert "No worker is connected to the database." in (await admin.page("/system")).html


async def test_connections_are_shown_by_kind_of_process(admin: Admin) -> None:
    await admin.world.sql("SET LOCAL application_name = 'accounts-worker'")

    page = await admin.page("/system")

    assert "No worker is connected" not in page.html
    assert any(row.startswith("Worker, which sends mail 1 ") for row in rows(page, PROCESSES))


async def test_keys_are_shown_by_id_and_state(admin: Admin) -> None:
    settings = admin.world.state["settings"].model_copy(update={"keys_rotate_at": datetime.now(UTC) + timedelta(1)})
    admin.world.change_settings(keys_rotate_at=settings.keys_rotate_at)
    both = type(settings.secret_key)("n" * 40 + "," + settings.secret_key.get_secret_value())
    ring = key_ring(settings.model_copy(update={"secret_key": both}))
    [(old, *_)] = admin.world.state["keys"].overview()
    admin.world.state["keys"] = ring

    newest, signing = rows(await admin.page("/system"), KEYS)

    assert "HS256 Signs from" in newest
    assert signing == f"{old} HS256 Signs now"
    assert ring.overview()[1] == (old, "HS256", True)


async def test_key_that_signed_before_verifies(admin: Admin) -> None:
    settings = admin.world.state["settings"]
    both = type(settings.secret_key)("n" * 40 + "," + settings.secret_key.get_secret_value())
    admin.world.state["keys"] = key_ring(settings.model_copy(update={"secret_key": both}))

    newest, older = rows(await admin.page("/system"), KEYS)

    assert newest.endswith("Signs now")
    assert older.endswith("Verifies tokens that it signed")


async def test_largest_tables_are_shown_with_sizes(admin: Admin) -> None:
    tables = rows(await admin.page("/system"), TABLES)

    assert len(tables) == 8
    assert all(any(unit in each for unit in (" bytes ", " kB ", " MB ")) for each in tables)


async def test_last_clean_up_is_shown(admin: Admin) -> None:
    before = (await admin.page("/system")).html
    await admin.world.sql("INSERT INTO audit_event (action) VALUES ('pruned')")

    assert "No expired data has been deleted so far." in before
    assert "Expired data was last deleted:" in (await admin.page("/system")).html


async def test_settings_are_shown_in_words_and_no_secret(admin: Admin) -> None:
    secrets = {
        "smtp_username": "merlin",
        "breached_passwords_url": "https://user:leaked@x.org",
        "smtp_host": "mx.x.org",
    }
    admin.world.change_settings(**secrets, sign_up=SignUp.INVITED, superuser_aal=1)

    page = (await admin.page("/system")).html

    assert "People with an invitation" in page
    assert "mx.x.org:587" in page
    assert "365 days" in page
    settings = admin.world.state["settings"]
    password = settings.database.password or "leaked"
    for secret in (SECRET, "merlin", "leaked", password, settings.database_url.get_secret_value()):
        assert secret not in page


async def test_number_of_statements_is_constant(admin: Admin) -> None:
    few = await admin.statements("/system")
    for number in range(3):
        await admin.world.user(f"knight-{number}")

    assert await admin.statements("/system") == few


async def test_page_does_not_exist_for_others(world: World) -> None:
    await hidden_from_others(world, "GET", "/system")


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 bytes"), (1023, "1.023 bytes"), (1536, "1,5 kB"), (2**20, "1 MB"), (5 * 2**50, "5.120 TB")],
)
def test_sizes_are_readable_in_the_language_of_the_page(size: int, shown: str) -> None:
    assert readable_size(size, get_language("de")) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(90 * 86400, "90 days"), (5400, "90 minutes"), (7200, "2 hours"), (61, "61 seconds")]
)
def test_durations_have_the_largest_unit_without_a_remainder(seconds: int, shown: str) -> None:
    assert duration(seconds, get_language("en")) == shown
