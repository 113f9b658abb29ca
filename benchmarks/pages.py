"""Server time of every page with a million users: the first, second, middle and last page of each list."""

import argparse
import asyncio
import html
import http.client
import re
import secrets
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

import asyncpg

from accounts.migrations.roles import ROLE
from arguments import at_least
from benchmarks import page_report, procfs
from benchmarks.api import FORM, Api
from benchmarks.data import LEAST_USERS
from benchmarks.page_data import HEAVY, PASSWORD, SUPERUSER, filled
from benchmarks.page_visits import LAST, MIDDLES, Visit, middle, routes, visits
from benchmarks.servers import Server, environment, server
from benchmarks.statements import TRACK
from postgres import Cluster

IDS = {
    "user_id": "SELECT id FROM \"user\" WHERE email = 'heavy@example.com'",
    "token_id": (
        "SELECT k.id FROM access_key k JOIN \"user\" u ON u.id = user_id WHERE email = 'heavy@example.com' LIMIT 1"
    ),
    "mail_id": "SELECT id FROM outbox WHERE parked_at IS NOT NULL LIMIT 1",
    "name": "SELECT 'signed-out'",
}
REFUSED = {"/account/second-factor"}  # without a sign-in that waits for one
PLANS = "ALTER DATABASE {} SET plan_cache_mode = {}"
RAN = """SELECT sum(calls)::int, max(max_exec_time), (array_agg(query ORDER BY max_exec_time DESC))[1]
    FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'"""
NEXT = re.compile(r'<p class="pager"><a [^>]*href="([^"]*)"')


@dataclass(frozen=True)
class Measured:
    """A page of a list, or another page: its cost. Times are in ms, ``cpu`` is that of the API and of PostgreSQL."""

    visit: Visit
    place: str
    statements: int
    slowest: float
    statement: str
    times: Sequence[float]
    cpu: float
    size: int

    @property
    def p50(self) -> float:
        """The median of the server's time."""
        return median(self.times)


def run(arguments: Sequence[str] = ()) -> None:
    """Fill a database, request all pages, and print a table.

    Raises:
        SystemExit: with status 1, a page takes longer than the target.

    """
    options = parse(arguments)
    with filled(options.users, options.keep) as (cluster, name):
        asyncio.run(_execute(cluster.url("postgres"), PLANS.format(name, options.plans)))
        settings = environment(cluster.url(name, ROLE), secrets.token_urlsafe(48), SIGN_IN_BY_CODE="true")
        with server("project", 1, settings) as running:
            measured = asyncio.run(_measure(running, cluster, name, options))
    page_report.publish(measured)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks pages", description="Measure every page.")
    parser.add_argument(
        "--users", type=at_least(LEAST_USERS), default=1_000_000, metavar="N", help="the number of users (1,000,000)"
    )
    parser.add_argument("--requests", type=at_least(1), default=10, metavar="N", help="requests of each page (10)")
    parser.add_argument("--keep", type=_folder, metavar="FOLDER", help="keep the data in a folder, and use it again")
    parser.add_argument(
        "--only", type=_routes, default="", metavar="PATH", help="only the routes that begin with a path"
    )
    modes = ("auto", "force_generic_plan", "force_custom_plan")
    parser.add_argument("--plans", default="auto", choices=modes, help="PostgreSQL's plan_cache_mode (auto)")
    return parser.parse_args(arguments)


def _routes(beginning: str) -> str:
    if not any(route.startswith(beginning) for route in routes()):
        raise argparse.ArgumentTypeError(f"no page's path begins with {beginning!r}")
    return beginning


def _folder(given: str) -> Path:
    folder = Path(given)
    if folder.exists() and not (folder.is_dir() and (not any(folder.iterdir()) or (folder / "lock").exists())):
        raise argparse.ArgumentTypeError(f"{given} is neither an empty folder nor one of an earlier run")
    return folder


async def _measure(running: Server, cluster: Cluster, name: str, options: argparse.Namespace) -> list[Measured]:
    database, statistics = [await asyncpg.connect(cluster.url(each)) for each in (name, "postgres")]
    ids = {name: str(await database.fetchval(query)) for name, query in IDS.items()}
    cookies = {email: _sign_in(running.port, email) for email in (SUPERUSER, HEAVY)} | {"": {}}

    def browser(visit: Visit) -> Api:  # with a connection of its own: the server closes idle ones
        return Api(running.port, cookies[visit.email])

    middles = {route: await _middle(database, query, options.users, ids) for route, query in MIDDLES.items()}
    chosen = [each for each in visits(options.users, ids) if each.route.startswith(options.only)]
    found = []
    await _track(statistics, "top")
    for visit in chosen:
        for place, page in _places(browser(visit), visit, middles.get(visit.route)):
            found.append((place, page, await _count(statistics, browser(page), page)))
    await _track(statistics, "none")
    processes = running.pid, int((cluster.data / "postmaster.pid").read_text().split()[0])
    measured = [
        Measured(page, place, *ran, *_time(browser(page), page.url, options.requests, processes))
        for place, page, ran in found
    ]
    await asyncio.gather(database.close(), statistics.close())
    return measured


def _sign_in(port: int, email: str) -> dict[str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/account/sign-in", urlencode({"username": email, "password": PASSWORD}), FORM)
    response = connection.getresponse()
    response.read()
    return {"Cookie": str(response.headers["set-cookie"]).partition(";")[0]}


def _places(browser: Api, visit: Visit, key: str | None) -> Iterator[tuple[str, Visit]]:
    """Yield the first page, and others if it has a link to more rows."""
    yield "first", visit
    content = _get(browser, visit)
    if more := NEXT.search(content):
        separator = "&" if "?" in visit.url else "?"
        yield "second", Visit(visit.route, visit.email, html.unescape(more[1]))
        yield "last", Visit(visit.route, visit.email, f"{visit.url}{separator}cursor={LAST}")
        if key and "?" not in visit.url:
            yield "middle", Visit(visit.route, visit.email, f"{visit.url}?cursor={middle(key)}")


def _get(browser: Api, visit: Visit) -> str:
    status, content, _ = browser.request("GET", visit.url)
    if status >= HTTPStatus.BAD_REQUEST and visit.email and visit.route not in REFUSED:
        sys.exit(f"benchmarks: {visit.url} returned {status} to {visit.email}")
    return str(content.decode())


def _time(browser: Api, url: str, requests: int, processes: tuple[int, ...]) -> tuple[list[float], float, int]:
    before = sum(map(procfs.cpu_seconds, processes))
    answers = [browser.request("GET", url) for _ in range(requests)]
    cpu = sum(map(procfs.cpu_seconds, processes)) - before
    return [seconds * 1000 for _, _, seconds in answers], cpu * 1000 / requests, len(answers[0][1])


async def _count(database: Any, browser: Api, visit: Visit) -> tuple[int, float, str]:
    await database.execute("SELECT pg_stat_statements_reset()")
    _get(browser, visit)
    ran, slowest, statement = await database.fetchrow(RAN)
    return ran or 0, slowest or 0, statement or ""


async def _middle(database: Any, query: str, users: int, ids: dict[str, str]) -> str:
    values = {"half": users // 2, "user": f"'{ids['user_id']}'", "heavy": HEAVY}
    return str(await database.fetchval(query.format_map(values)))


async def _track(database: Any, what: str) -> None:
    await database.execute(TRACK.format(what))
    await database.execute("SELECT pg_reload_conf()")
    await asyncio.sleep(0.3)


async def _execute(url: str, statement: str) -> None:
    connection: Any = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()
