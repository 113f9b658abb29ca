"""Keys rotate in running processes: nothing is refused, neither by the processes nor by services that cache keys."""

from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import jwt
import pytest

import environment
import rotate_keys
from keys import key_pair
from support.gunicorn import Gunicorn, gunicorn
from support.people import PASSWORD
from support.processes import SECRET

pytestmark = pytest.mark.slow
EMAIL = "galahad@camelot.example.com"
KEYS = ("SECRET_KEY", "SIGNING_KEY", "KEYS_ROTATE_AT")


def sign_in(server: Gunicorn) -> dict[str, str]:
    response = server.api.post("/auth/jwt/login", data={"username": EMAIL, "password": PASSWORD})
    answer: dict[str, str] = response.raise_for_status().json()
    return answer


def kid(tokens: dict[str, str]) -> str:
    found: str = jwt.get_unverified_header(tokens["access_token"])["kid"]
    return found


class Users:
    """Users of two servers on one database, as behind a proxy; a service caches the keys until the next visit."""

    def __init__(self, server: Gunicorn) -> None:
        self.tokens: list[dict[str, str]] = []
        self.cached = self._published(server)

    @staticmethod
    def _published(server: Gunicorn) -> dict[str, jwt.PyJWK]:
        keys = server.api.get("/.well-known/jwks.json").json()["keys"]
        return {key["kid"]: jwt.PyJWK(key) for key in keys}

    def visit(self, *servers: Gunicorn) -> None:
        """Sign in at each server, refresh there and retry at the other one; then use all tokens so far everywhere."""
        for first, second in (servers, servers[::-1]):
            tokens = sign_in(first)
            refreshed = first.api.post("/auth/jwt/refresh", data=tokens).raise_for_status().json()
            again = second.api.post("/auth/jwt/refresh", data=tokens).raise_for_status().json()
            assert again["refresh_token"] == refreshed["refresh_token"]
            self.tokens += [tokens, refreshed]
        for tokens in self.tokens:
            for server in servers:
                headers = {"Authorization": f"Bearer {tokens['access_token']}"}
                assert server.api.get("/users/me", headers=headers).status_code == 200
            if jwt.get_unverified_header(tokens["access_token"])["alg"] != "HS256":
                assert jwt.decode(tokens["access_token"], self.cached[kid(tokens)], audience="accounts")
        self.cached = self._published(servers[0])


@pytest.mark.parametrize("pair", [key_pair(), ""], ids=["with a key pair", "with a first key pair"])
def test_no_token_is_refused_while_keys_rotate(
    fresh_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pair: str
) -> None:
    file = tmp_path / ".env"
    monkeypatch.setattr(environment, "FILE", file)
    monkeypatch.setattr(environment, "OVERRIDES", tmp_path / "overrides")
    file.write_text(f'SECRET_KEY="{SECRET}"\nSIGNING_KEY="{pair}"\n')
    old = environment.read(file)
    rotate_keys.rotate("SECRET_KEY", "SIGNING_KEY")
    new = {name: environment.read(file)[name] for name in KEYS}

    with ExitStack() as first, ExitStack() as second:
        stacks = (first, second)
        servers = [stack.enter_context(serve(fresh_database, old)) for stack in stacks]
        servers[0].api.post("/auth/register", json={"email": EMAIL, "password": PASSWORD})
        users = Users(servers[0])
        users.visit(*servers)
        # The deploy; then the time comes, for one server before the other.
        for keys in (new, new | {"KEYS_ROTATE_AT": "2020-01-01T00:00:00Z"}):
            for turn, stack in enumerate(stacks):
                stack.close()
                servers[turn] = stack.enter_context(serve(fresh_database, keys))
                users.visit(*servers)

    before, deployed, *_, after = [kid(tokens) for tokens in users.tokens[::4]]
    assert before == deployed != after


def serve(database_url: str, keys: dict[str, str]) -> AbstractContextManager[Gunicorn]:
    return gunicorn(database_url, 1, SIGN_UP="open", METRICS_PORT="0", **keys)
