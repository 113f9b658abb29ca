"""Plain lines are validated without the schema, with exactly its result."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from accounts.domain.user_files import new_users
from accounts.domain.user_files.new_users import NewUser, new_user, plain_user
from accounts.schemas.user_files import UserLine

NOW = datetime(2026, 11, 30, tzinfo=UTC)
EMAIL = {"email": "king.arthur@camelot.example.com"}
VALUES: dict[str, list[Any]] = {
    "email": [
        "a@b.org",
        "Info@camelot.org",
        "a@b.local",
        "a@b.test",
        "ä@camelot.org",
        " a@b.org ",
        "a..b@c.org",
        f"{'a' * 60}@camelot.org",
        "a@-b.org",
        "a@b--c.org",
        "a@xn--b.org",
        "a@b",
        1,
        None,
    ],
    "display_name": ["", "Arthur", " Arthur ", "Artúr", "x" * 100, "x" * 101, "a\tb", "\u200b", 1, None],
    "language": [None, "de", "DE", "en", "xx", "", "x" * 40, 1],
    "hashed_password": [None, "", "!", "!x", 1],
    "is_verified": [True, False, None, 1, "true"],
    "is_active": [True, False, 0, "no"],
    "created_at": [
        None,
        "2020-01-01T00:00:00Z",
        "2020-01-01T00:00:00.123456Z",
        "2020-13-01T00:00:00Z",
        "2020-01-01T24:00:00Z",
        "2020-01-01T00:00:60Z",
        "2020-01-01",
        "2020-01-01 00:00:00Z",
        "2020-01-01T01:00:00+01:00",
        "2999-01-01T00:00:00Z",
        0,
        "",
    ],
    "id": [None, "0199b6fe-1111-4222-8333-444455556666", "0199B6FE111142228333444455556666", "x", 1],
    "groups": [[], None, {}, [{"name": "Knights"}]],
    "other": [1],
}


def by_schema(line: bytes) -> NewUser | None:
    try:
        return new_users._to_new_user(1, UserLine.model_validate_json(line))
    except ValidationError:
        return None


def comparable(user: NewUser) -> tuple[Any, ...]:
    created_at = user.created_at if user.created_at == "now" else datetime.fromisoformat(user.created_at)
    user = user._replace(id=user.id if user.has_given_id else "", groups=list(user.groups))
    return (*user._replace(created_at=""), created_at)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in VALUES.items() for value in values])
def test_plain_line_has_the_result_of_the_schema(name: str, value: Any) -> None:
    line = json.dumps(EMAIL | {name: value}).encode()

    plain = plain_user(1, line, NOW)

    if plain is not None:
        expected = by_schema(line)
        assert expected is not None
        assert comparable(plain) == comparable(expected)


def test_plain_line_does_not_need_the_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_users, "_to_new_user", lambda *_: pytest.fail("validated by the schema"))
    line = EMAIL | {"display_name": "Arthur", "created_at": "2020-01-01T00:00:00Z", "is_verified": True, "groups": []}

    assert new_user(1, json.dumps(line).encode(), NOW).display_name == "Arthur"
