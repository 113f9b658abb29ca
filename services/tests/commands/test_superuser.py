"""Creation of superusers: the password stays secret, and existing users are not promoted."""

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable

import pytest
from sqlmodel import select

from accounts.commands import run, superuser
from accounts.db.session import transaction
from accounts.models import User
from accounts.settings import Environment, Settings
from support.people import PASSWORD, World

EMAIL = "merlin@camelot.example.com"
Main = Callable[..., Awaitable[None]]


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch, fresh_settings: Settings) -> Main:
    """The command, in production, on the database of ``busy_world``."""
    production = fresh_settings.model_copy(update={"environment": Environment.PRODUCTION})
    monkeypatch.setattr(run, "get_settings", lambda: production)
    return lambda *argv: asyncio.to_thread(superuser.main, argv)


def type_in(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    """Answer the prompts of a terminal."""
    remaining = iter(answers)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(superuser, "getpass", lambda _: next(remaining))


def pipe(monkeypatch: pytest.MonkeyPatch, given: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), encoding="utf-8"))


async def users(world: World) -> list[User]:
    async with transaction(world.sessionmaker) as db:
        return list((await db.exec(select(User))).all())


@pytest.mark.parametrize("ending", ["\n", "\r\n", "", "\nmore\n"])
async def test_password_is_read_from_standard_input(
    busy_world: World, main: Main, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    pipe(monkeypatch, f"{PASSWORD}{ending}".encode())

    await main(f"\ufeff{EMAIL}\u00a0", "--name", "Merlin")

    (user,) = await users(busy_world)
    assert (user.email, user.display_name) == (EMAIL, "Merlin")
    assert (user.is_superuser, user.is_verified, user.is_active) == (True, True, True)
    assert capsys.readouterr().out == f"Created superuser {EMAIL} with id {user.id}\n"
    await busy_world.sign_in(EMAIL)


async def test_password_is_prompted_twice_on_a_terminal(
    busy_world: World, main: Main, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(monkeypatch, PASSWORD, PASSWORD)
    await main(EMAIL)
    await busy_world.sign_in(EMAIL)


async def test_two_different_passwords_are_refused(
    busy_world: World, main: Main, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(monkeypatch, PASSWORD, PASSWORD.upper())
    with pytest.raises(SystemExit, match=r"^superuser: the two passwords differ$"):
        await main(EMAIL)
    assert await users(busy_world) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (b"", "no password on standard input"),
        (b"\n", "no password on standard input"),
        (b"too short\n", "A password must have 12 to 128 characters."),
        (b"x" * 129, "password: String should have at most 128 characters"),
        (b"\xff" * 12, "could not read a password"),
    ],
)
async def test_bad_password_is_refused(
    busy_world: World, main: Main, monkeypatch: pytest.MonkeyPatch, given: bytes, message: str
) -> None:
    pipe(monkeypatch, given)
    with pytest.raises(SystemExit) as ended:
        await main(EMAIL)
    assert ended.value.code == f"superuser: {message}"
    assert await users(busy_world) == []


async def test_invalid_arguments_are_refused_before_the_password_prompt(busy_world: World, main: Main) -> None:
    """pytest fails if standard input is read."""
    guinevere = await busy_world.user("guinevere")

    with pytest.raises(SystemExit, match=r"^superuser: A user with this email exists already\.$"):
        await main(guinevere.email.replace("camelot", "CAMELOT"))
    with pytest.raises(SystemExit, match=r"^superuser: email: Input should be an email address$"):
        await main("merlin")
    with pytest.raises(SystemExit, match=r"^superuser: display_name: String should have at most 100 characters$"):
        await main(EMAIL, "--name", "x" * 101)

    (user,) = await users(busy_world)
    assert not user.is_superuser


async def test_user_who_registers_concurrently_is_not_promoted(
    busy_world: World, main: Main, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def not_taken(*_: object) -> None:
        return None

    merlin = await busy_world.user("merlin")
    monkeypatch.setattr(superuser, "refuse_taken", not_taken)
    pipe(monkeypatch, PASSWORD.encode())

    with pytest.raises(SystemExit, match=r"^superuser: A user with this email exists already\.$"):
        await main(merlin.email)

    assert [user.is_superuser for user in await users(busy_world)] == [False]


@pytest.mark.parametrize(
    ("key", "status"), [(KeyboardInterrupt, 130), (EOFError, "superuser: could not read a password")]
)
async def test_aborted_prompt_creates_no_user(
    busy_world: World, main: Main, monkeypatch: pytest.MonkeyPatch, key: type[BaseException], status: object
) -> None:
    def leave(_: str) -> str:
        raise key

    type_in(monkeypatch)
    monkeypatch.setattr(superuser, "getpass", leave)
    with pytest.raises(SystemExit) as ended:
        await main(EMAIL)
    assert ended.value.code == status
    assert await users(busy_world) == []
