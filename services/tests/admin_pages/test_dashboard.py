"""The dashboard: charts of what happened, which also read as tables, for superusers only."""

from datetime import UTC, datetime, timedelta
from time import sleep
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import text

from accounts.api.admin_pages.charts import Chart, Series, nice
from accounts.db.session import transaction
from accounts.domain.figures.names import NAMES
from accounts.domain.figures.reading import MONTHS, SELECT_FIGURES, bins, read_figures
from accounts.models import Figure, Period
from accounts.schemas.figures import Span
from support.account_pages import enter
from support.html import Page
from support.people import World
from support.schema import recorded_statements

MORGANA = "morgana@camelot.example.com"
CHARTS = ["sign-ups", "active", "sign-ins", "methods", "factors", "limits", "mail", "waiting"]
UNKNOWN = "\N{EN DASH}"
LONGEST_TEST = timedelta(seconds=10)


@pytest.fixture(autouse=True)
def hour() -> datetime:
    """The hour that a test runs in. It does not end meanwhile."""
    now = datetime.now(UTC)
    rest = hour_of(now) + timedelta(hours=1) - now
    if rest < LONGEST_TEST:
        sleep(rest.total_seconds())
    return hour_of(datetime.now(UTC))


def hour_of(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)


@pytest.fixture
async def admin(world: World) -> str:
    """The cookie of a superuser."""
    await world.user("morgana", superuser=True)
    return await enter(world, MORGANA)


async def store(world: World, at: datetime | None = None, period: Period = Period.HOUR, **values: int) -> None:
    """Store figures, by default of the current hour; in their names, ``__`` stands for a dot."""
    at = at or hour_of(datetime.now(UTC))
    async with transaction(world.sessionmaker) as db:
        db.add_all(
            [Figure(period=period, at=at, name=name.replace("__", "."), value=value) for name, value in values.items()]
        )


async def dashboard(world: World, cookie: str, period: str = "", language: str = "en") -> Response:
    headers = {"Cookie": cookie, "Accept-Language": language}
    return await world.client.get("/admin", params={"period": period} if period else {}, headers=headers)


async def legend(world: World, cookie: str, chart: str, period: str = "") -> str:
    answer = await dashboard(world, cookie, period)
    assert answer.status_code == 200, answer.text
    return shown(Page(answer.text), chart)


def shown(page: Page, chart: str) -> str:
    return page.one(id=f"{chart}-summary").text.strip().replace(":", ": ")


class TestAccess:
    async def test_stranger_is_sent_to_the_sign_in(self, world: World) -> None:
        answer = await world.client.get("/admin?period=year")

        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/account/sign-in")

    async def test_page_does_not_exist_for_other_users(self, world: World) -> None:
        await world.user("arthur")

        assert (await dashboard(world, await enter(world))).status_code == 404

    async def test_superuser_below_the_required_level_is_not_shown_it(self, world: World, admin: str) -> None:
        world.change_settings(superuser_aal=2)

        assert (await dashboard(world, admin)).status_code == 403

    async def test_lost_rights_are_lost_at_the_next_click(self, world: World, admin: str) -> None:
        await store(world, sign_ups=1)
        assert (await dashboard(world, admin)).status_code == 200
        await world.sql('UPDATE "user" SET is_superuser = false')

        assert (await dashboard(world, admin)).status_code == 404


class TestPage:
    async def test_without_figures_it_says_when_they_appear(self, world: World, admin: str) -> None:
        page = Page((await dashboard(world, admin)).text)

        assert "within a minute" in page.one(class_="empty").text
        assert page.find(role="img") == []

    async def test_each_chart_has_a_name_a_description_and_a_table(self, world: World, admin: str) -> None:
        await store(world, sign_ups=3)

        page = Page((await dashboard(world, admin)).text)

        pictures = page.find("svg", role="img")
        assert [each.attributes["aria-labelledby"] for each in pictures] == CHARTS
        assert [each.attributes["aria-describedby"] for each in pictures] == [f"{each}-summary" for each in CHARTS]
        assert len(page.find("table")) == len(page.find("details")) == len(CHARTS)

    async def test_table_has_the_numbers_of_the_picture(self, world: World, admin: str, hour: datetime) -> None:
        await store(world, sign_ups=4321)
        await store(world, hour - timedelta(hours=23), sign_ups=7)

        page = Page((await dashboard(world, admin)).text)

        cells = [each.text for each in page.find("td", data_label="Sign-ups")]
        assert cells == ["4,321", *["0"] * 22, "7"]

    @pytest.mark.parametrize(("span", "rows"), [("day", 24), ("month", 30), ("year", 12)])
    async def test_period_chooses_what_is_shown(self, world: World, admin: str, span: str, rows: int) -> None:
        await store(world, sign_ups=1)

        page = Page((await dashboard(world, admin, span)).text)

        assert len(page.find("td", data_label="Sign-ups")) == rows
        [current] = page.find("a", aria_current="true")
        assert current.attributes["href"] == f"/admin?period={span}"

    async def test_unknown_period_is_refused(self, world: World, admin: str) -> None:
        assert (await dashboard(world, admin, "decade<script>")).status_code == 422

    async def test_is_in_the_navigation_of_the_administration(self, world: World, admin: str) -> None:
        page = Page((await dashboard(world, admin)).text)

        [entry] = [each for each in page.navigation() if "aria-current" in each.attributes]
        assert (entry.attributes["href"], entry.text) == ("/admin", "Dashboard")

    async def test_speaks_german(self, world: World, admin: str) -> None:
        await store(world, sign_ups=12345)

        answer = await dashboard(world, admin, language="de")

        assert "12.345" in Page(answer.text).one(id="sign-ups-summary").text
        assert answer.headers["content-language"] == "de"

    async def test_worker_that_does_not_count_is_noticed(self, world: World, admin: str, hour: datetime) -> None:
        await store(world, hour - timedelta(hours=5), sign_ups=1)

        assert "worker" in Page((await dashboard(world, admin)).text).one(class_="notice").text

    async def test_worker_that_counts_is_not_mentioned(self, world: World, admin: str, hour: datetime) -> None:
        await store(world, hour - timedelta(hours=1), sign_ups=1)

        assert Page((await dashboard(world, admin)).text).find(class_="notice") == []

    async def test_has_no_style_and_no_script(self, world: World, admin: str) -> None:
        await store(world, sign_ups=1, active__day=1)

        answer = await dashboard(world, admin)

        assert "style=" not in answer.text
        assert "<script" not in answer.text


class TestCharts:
    async def test_sign_ins_by_outcome(self, world: World, admin: str) -> None:
        succeeded: dict[str, Any] = {"sign_in.password": 5, "sign_in.passkey.2": 2}
        refused: dict[str, Any] = {"sign_in_refused.code": 1, "sign_in_refused.second_factor": 3}
        await store(world, sign_ups=0, **succeeded, **refused)

        assert await legend(world, admin, "sign-ins") == "Succeeded: 7 Refused: 4"

    async def test_sign_ins_by_method_and_by_second_factor(self, world: World, admin: str) -> None:
        succeeded: dict[str, Any] = {"sign_in.password": 5, "sign_in.password.2": 1, "sign_in.provider": 2}
        await store(world, sign_ups=0, **succeeded)

        assert await legend(world, admin, "methods") == "Password: 6 Passkey: 0 Provider: 2 Emailed code: 0"
        assert await legend(world, admin, "factors") == "With a second factor: 1 Without: 7"

    async def test_sign_ins_that_earlier_releases_recorded(self, world: World, admin: str) -> None:
        await store(world, sign_ups=0, sign_in__other=4)

        assert "Not recorded: 4" in await legend(world, admin, "methods")

    async def test_active_users_are_the_last_that_were_counted(self, world: World, admin: str, hour: datetime) -> None:
        await store(world, sign_ups=0)
        await store(world, hour - timedelta(hours=2), active__day=9, active__week=9, active__month=9)
        await store(world, hour - timedelta(hours=1), active__day=3, active__week=5, active__month=8)

        page = Page((await dashboard(world, admin)).text)

        assert shown(page, "active") == "In a day: 3 In 7 days: 5 In 30 days: 8"
        assert [each.text for each in page.find("td", data_label="In a day")][:4] == [UNKNOWN, "3", "9", UNKNOWN]
        assert len(page.find("polyline")) == 3

    async def test_refusals_of_rate_limits(self, world: World, admin: str) -> None:
        await store(world, sign_ups=0, limited__guesses=2, limited__mail=1)

        limits = await legend(world, admin, "limits")
        assert limits == "Signing in: 0 Passwords and codes: 2 Signing up: 0 Requesting email: 1 Other requests: 0"

    async def test_mail_that_was_sent_and_that_waits(self, world: World, admin: str) -> None:
        await store(world, sign_ups=0, mail__sent=7, mail__failed=1, mail__waiting=4)

        assert await legend(world, admin, "mail") == "Sent: 7 Given up: 1"
        assert await legend(world, admin, "waiting") == "Waiting: 4"

    async def test_month_sums_up_days(self, world: World, admin: str, hour: datetime) -> None:
        midnight = hour.replace(hour=0)
        await store(world, sign_ups=1)
        for days, sign_ups in ((0, 1), (29, 2), (30, 4)):
            await store(world, midnight - timedelta(days=days), Period.DAY, sign_ups=sign_ups)

        assert await legend(world, admin, "sign-ups", "month") == "Sign-ups: 3"

    async def test_year_sums_up_months_and_averages_users(self, world: World, admin: str, hour: datetime) -> None:
        month = hour.replace(hour=0, day=1)
        await store(world, sign_ups=1)
        for day, sign_ups, users, mails in ((0, 1, 10, 3), (1, 2, 20, 5)):
            values = {"sign_ups": sign_ups, "active__day": users, "mail__waiting": mails}
            await store(world, month + timedelta(days=day), Period.DAY, **values)

        assert await legend(world, admin, "sign-ups", "year") == "Sign-ups: 3"
        assert (await legend(world, admin, "active", "year")).startswith("In a day: 15 ")
        assert await legend(world, admin, "waiting", "year") == "Waiting: 5"


class TestCost:
    async def test_two_statements_read_the_figures_and_nothing_else(self, world: World) -> None:
        async with transaction(world.sessionmaker) as db, recorded_statements(db) as statements:
            for span in Span:
                await read_figures(db, span)

        assert len(statements) == 2 * len(Span)
        tables = ("audit_event", "user_session", "outbox", '"user"', "known_device")
        assert not any(table in statement for statement, _ in statements for table in tables)

    async def test_request_takes_the_same_statements_with_many_figures(
        self, world: World, admin: str, hour: datetime
    ) -> None:
        midnight, counts = hour.replace(hour=0), []
        for number in (1, 400):
            await world.sql("DELETE FROM figure")
            async with transaction(world.sessionmaker) as db:
                for day in range(number):
                    at = midnight - timedelta(days=day)
                    db.add_all([Figure(period=Period.DAY, at=at, name=name, value=1) for name in NAMES[:3]])
            async with transaction(world.sessionmaker) as db, recorded_statements(db) as statements:
                assert (await dashboard(world, admin, "year")).status_code == 200
            counts.append(len(statements))

        assert counts[0] == counts[1] > 2

    async def test_rows_are_found_by_the_key(self, world: World, hour: datetime) -> None:
        async with transaction(world.sessionmaker) as db:
            connection = await db.connection()
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
            arguments = SELECT_FIGURES._arguments({"bin": "hour", "period": "hour", "since": hour})
            plan = str((await connection.exec_driver_sql(f"EXPLAIN {SELECT_FIGURES._sql}", arguments)).all())

        assert "pk_figure" in plan


class TestGeometry:
    @pytest.mark.parametrize(
        ("highest", "top"), [(0, 1), (1, 1), (2, 2), (3, 4), (5, 6), (7, 10), (11, 20), (99, 100), (4100, 6000)]
    )
    def test_axis_ends_at_a_round_number(self, highest: int, top: int) -> None:
        assert nice(highest) == top

    def test_bars_stand_on_top_of_one_another_within_the_plot(self) -> None:
        chart = Chart("c", "C", [Series("a", [1, 4]), Series("b", [3, 0])], ["x", "y"])

        first, second, third = chart.bars

        assert [each.series for each in chart.bars] == [1, 1, 2]
        assert third.y + third.height == pytest.approx(first.y)
        assert third.y == pytest.approx(second.y) == 14
        assert first.x + first.width < second.x

    def test_line_is_interrupted_where_nothing_was_measured(self) -> None:
        chart = Chart("c", "C", [Series("a", [1, None, 0, 1])], list("wxyz"), kind="lines")

        assert [len(line.points) for line in chart.lines] == [1, 2]

    def test_last_label_is_the_present(self) -> None:
        labels = [str(each) for each in range(30)]
        chart = Chart("c", "C", [Series("a", [0] * 30)], labels, short_labels=labels)

        assert [label for _, label in chart.marks] == ["5", "13", "21", "29"]

    def test_months_cross_the_year(self) -> None:
        months = bins(Span.YEAR, datetime(2026, 3, 31, 23, 59, tzinfo=UTC))

        assert len(months) == MONTHS
        assert (months[0], months[-1]) == (datetime(2025, 4, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))
