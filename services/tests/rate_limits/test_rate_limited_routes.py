"""Rate limits of the routes: they are exact, lock no user out, and do not reveal who has an account."""

import asyncio
from collections.abc import Callable

import pytest
from httpx2 import Response

from accounts.api.app import create_app
from accounts.models import Purpose
from support.people import PASSWORD, World

NEW_PASSWORD = "a-sword-in-a-stone"
HOME, ELSEWHERE = "192.0.2.1", "198.51.100.1"


@pytest.fixture
def limit(world: World) -> Callable[[float], None]:
    """Scales the limits, which the tests' settings raise."""
    return lambda scale: world.change_settings(throttle_scale=scale)


async def login(world: World, client: str | None, email: str, password: str = PASSWORD) -> Response:
    form = {"username": email, "password": password}
    return await world.client_at(client).post("/auth/jwt/login", data=form)


async def statuses(world: World, times: int, client: str, email: str) -> list[int]:
    return [(await login(world, client, email, "wrong")).status_code for _ in range(times)]


class TestLogin:
    async def test_five_of_sixty_concurrent_wrong_passwords_are_evaluated(
        self, busy_world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        arthur = await busy_world.user("arthur")
        busy_world.change_settings(throttle_scale=1)
        verify, evaluated = busy_world.passwords.verify, []

        async def spy(password: str, hashed: str | None) -> tuple[bool, str | None]:
            evaluated.append(password)
            answer: tuple[bool, str | None] = await verify(password, hashed)
            return answer

        monkeypatch.setattr(busy_world.passwords, "verify", spy)

        answers = await asyncio.gather(*(login(busy_world, HOME, arthur.email, f"wrong {n}") for n in range(60)))

        assert sorted(answer.status_code for answer in answers) == [400] * 5 + [429] * 55
        assert len(evaluated) == 5

    async def test_refusal_says_when_to_try_again(self, world: World, limit: Callable[[float], None]) -> None:
        limit(1)
        allowed = await login(world, HOME, "unknown@camelot.example.com")
        await statuses(world, 4, HOME, "unknown@camelot.example.com")

        refused = await login(world, HOME, "unknown@camelot.example.com")

        assert allowed.status_code == 400
        assert refused.status_code == 429
        seconds = refused.headers["Retry-After"]
        assert 1 <= int(seconds) <= 12
        assert refused.headers["RateLimit"] == f'"default";r=0;t={seconds}'
        assert refused.headers["RateLimit-Policy"] == '"default";q=5;w=60'
        assert refused.headers["Content-Type"] == "application/json"
        assert refused.json() == {
            "title": "Too Many Requests", "status": 429, "detail": "TOO_MANY_ATTEMPTS",
            "reason": f"Try again in {seconds} seconds.",
            "error": "temporarily_unavailable", "error_description": f"Try again in {seconds} seconds.",
        }  # fmt: skip

    async def test_response_says_how_many_attempts_are_left(self, world: World, limit: Callable[[float], None]) -> None:
        arthur = await world.user("arthur")
        limit(1)

        answer = await login(world, HOME, arthur.email)

        assert answer.headers["RateLimit"] == '"default";r=4;t=12'

    async def test_responses_are_the_same_for_known_and_unknown_emails(
        self, world: World, limit: Callable[[float], None]
    ) -> None:
        arthur = await world.user("arthur")
        limit(1)
        known = [await login(world, HOME, arthur.email, "wrong") for _ in range(7)]
        unknown = [await login(world, ELSEWHERE, "unknown@camelot.example.com", "wrong") for _ in range(7)]

        assert [each.status_code for each in known] == [each.status_code for each in unknown]
        assert [each.json()["detail"] for each in known] == [each.json()["detail"] for each in unknown]
        assert [each.headers.keys() for each in known] == [each.headers.keys() for each in unknown]
        assert known[-1].status_code == 429

    async def test_attack_from_one_network_does_not_lock_the_user_out_of_another(
        self, world: World, limit: Callable[[float], None]
    ) -> None:
        arthur = await world.user("arthur")
        limit(1)

        assert await statuses(world, 30, ELSEWHERE, arthur.email) == [400] * 5 + [429] * 25

        assert (await login(world, HOME, arthur.email)).status_code == 200

    async def test_successful_sign_in_resets_the_limit(self, world: World, limit: Callable[[float], None]) -> None:
        arthur = await world.user("arthur")
        limit(1)
        await statuses(world, 4, HOME, arthur.email)

        assert (await login(world, HOME, arthur.email)).status_code == 200

        assert await statuses(world, 6, HOME, arthur.email) == [400] * 5 + [429]

    async def test_guessing_from_many_networks_is_limited_except_from_known_networks(
        self, world: World, limit: Callable[[float], None]
    ) -> None:
        arthur = await world.user("arthur")
        limit(0.1)  # ten an hour for an address, and one a minute for an address and a network
        assert (await login(world, HOME, arthur.email)).status_code == 200

        guesses = [(await login(world, f"198.51.100.{n}", arthur.email, "wrong")).status_code for n in range(12)]

        assert guesses == [400] * 9 + [429] * 3  # the first sign-in came from an unknown network, too
        assert (await login(world, ELSEWHERE, arthur.email)).status_code == 429
        assert (await login(world, HOME, arthur.email)).status_code == 200

    async def test_password_reset_makes_the_network_known(self, world: World, limit: Callable[[float], None]) -> None:
        arthur = await world.user("arthur")
        limit(0.1)
        for number in range(10):
            await login(world, f"198.51.100.{number}", arthur.email, "wrong")
        owner = world.client_at(HOME)
        assert (await login(world, HOME, arthur.email)).status_code == 429

        await owner.post("/auth/forgot-password", json={"email": arthur.email})
        body = {"token": (await world.token()), "password": NEW_PASSWORD}
        assert (await owner.post("/auth/reset-password", json=body)).status_code == 200

        assert (await login(world, HOME, arthur.email, NEW_PASSWORD)).status_code == 200

    async def test_a_network_is_limited_across_emails(self, world: World, limit: Callable[[float], None]) -> None:
        limit(0.1)  # six a minute

        answers = [await login(world, HOME, f"{number}@camelot.example.com") for number in range(8)]
        other = await login(world, ELSEWHERE, "0@camelot.example.com")

        assert [answer.status_code for answer in answers] == [400] * 6 + [429] * 2
        assert other.status_code == 400

    async def test_clients_without_an_ip_share_a_limit(self, world: World, limit: Callable[[float], None]) -> None:
        limit(0.1)

        answers = [await login(world, None, f"{number}@camelot.example.com") for number in range(7)]

        assert [answer.status_code for answer in answers] == [400] * 6 + [429]


class TestMail:
    @pytest.mark.parametrize(
        ("path", "purpose"),
        [("/auth/forgot-password", Purpose.RESET), ("/auth/request-verify-token", Purpose.VERIFY)],
    )
    async def test_an_email_address_receives_at_most_five_mails_an_hour(
        self, world: World, limit: Callable[[float], None], path: str, purpose: Purpose
    ) -> None:
        arthur = await world.user("arthur")
        limit(1)

        async def ask(email: str) -> list[tuple[int, int]]:
            answers = [await world.client_at(f"192.0.2.{n}").post(path, json={"email": email}) for n in range(8)]
            return [(answer.status_code, len(answer.headers)) for answer in answers]

        assert await ask(arthur.email) == await ask("unknown@camelot.example.com")
        assert [sent[:2] for sent in (await world.tokens())] == [(purpose, arthur.email)] * 5


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/auth/register", {"email": "{}@camelot.example.com", "password": PASSWORD}),
        ("/auth/forgot-password", {"email": "{}@camelot.example.com"}),
        ("/auth/request-verify-token", {"email": "{}@camelot.example.com"}),
        ("/auth/reset-password", {"token": "{}", "password": PASSWORD}),
        ("/auth/verify", {"token": "{}"}),
        ("/auth/jwt/refresh", {"refresh_token": "{}", "grant_type": "refresh_token"}),
    ],
)
async def test_a_network_is_limited_on_every_route(
    world: World, limit: Callable[[float], None], path: str, body: dict[str, str]
) -> None:
    limit(0.01)

    async def send(number: int) -> int:
        values = {name: value.format(number) for name, value in body.items()}
        form, json = (values, None) if "grant_type" in body else (None, values)
        return (await world.client_at(HOME).post(path, data=form, json=json)).status_code

    answers = [await send(number) for number in range(5)]

    assert answers[0] != 429
    assert answers[-1] == 429


async def test_registration_is_limited_by_email(world: World, limit: Callable[[float], None]) -> None:
    limit(0.2)  # one an hour
    body = {"email": "king.arthur@camelot.example.com", "password": PASSWORD}

    answers = [await world.client_at(f"192.0.2.{number}").post("/auth/register", json=body) for number in range(2)]

    assert [answer.status_code for answer in answers] == [201, 429]


@pytest.mark.parametrize("path", ["/auth/jwt/login", "/auth/cookie/login"])
async def test_bearer_and_cookie_sign_in_share_a_limit(world: World, limit: Callable[[float], None], path: str) -> None:
    arthur = await world.user("arthur")
    limit(1)
    form = {"username": arthur.email, "password": "wrong"}

    answers = [await world.client_at(HOME).post(path, data=form) for _ in range(5)]

    assert {answer.status_code for answer in answers} == {400}
    assert (await login(world, HOME, arthur.email)).status_code == 429


async def test_without_rate_limit_storage_no_password_is_checked(world: World) -> None:
    arthur = await world.user("arthur")
    await world.sql("DROP TABLE throttle")

    assert (await world.login(arthur)).status_code == 500


def test_openapi_documents_429_on_every_limited_route() -> None:
    operations = [
        (method, path, operation)
        for path, methods in create_app().openapi()["paths"].items()
        for method, operation in methods.items()
    ]
    limited = {(method, path) for method, path, operation in operations if "429" in operation["responses"]}

    exports = {("get", path) for _, path, _ in operations if path.endswith("/export")}
    # A sign-in with a provider leads through GET requests.
    providers = {("get", path) for _, path, _ in operations if "{provider}" in path}
    assert limited == {(method, path) for method, path, _ in operations if method != "get"} | exports | providers
