"""Exports as other systems give them: their users sign in with the password that they had."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from accounts.domain.user_files.sources import ENTRY_LENGTH, SOURCES, converted
from accounts.domain.user_files.user_file import Fault
from support.people import PASSWORD, World
from user_files.conftest import Import
from user_files.test_user_import import users

EXPORTS = Path(__file__).with_name("exports")
FILES = {file.stem: file for file in EXPORTS.iterdir()}
FIREBASE_PASSWORD = "user1password"  # of the example in Firebase's documentation


def emails(source: str, text: str) -> list[str]:
    return [str(user["email"]) for _, user in converted(source, StringIO(text), lambda: None) if isinstance(user, dict)]


@pytest.mark.parametrize("source", SOURCES)
async def test_user_of_an_export_signs_in_with_the_known_password(
    busy_world: World, import_file: Import, source: str
) -> None:
    password = FIREBASE_PASSWORD if source == "firebase" else PASSWORD

    printed = await import_file(FILES[source].read_bytes(), options=("--format", source))

    assert "1 users have no email, and are left out." in printed
    stored = await users(busy_world)
    arthur = stored.get("arthur") or stored["Arthur"]
    assert (arthur.is_active, arthur.is_superuser) == (True, False)
    assert arthur.is_verified == (source != "django")
    if source != "auth0":
        assert arthur.display_name == "Arthur Pendragon"
        assert arthur.created_at.year in {2017, 2023}
    for user in stored.values():
        assert (await busy_world.login(user, f"{password}!")).status_code == 400
        await busy_world.sign_in(user, password)
    assert (
        "1 users exist" in await import_file(FILES[source].read_bytes(), options=("--format", source))
        or source == "keycloak"
    )


async def test_keycloaks_and_supabases_users_keep_their_id(busy_world: World, import_file: Import) -> None:
    await import_file(FILES["keycloak"].read_bytes(), options=("--format", "keycloak"))
    stored = await users(busy_world)
    assert {str(user.id)[-2:] for user in stored.values()} == {"5f", "60"}


async def test_fault_names_the_number_of_the_user(
    busy_world: World, import_file: Import, capsys: pytest.CaptureFixture[str]
) -> None:
    django = [
        {"fields": {"email": "a@camelot.example.com"}},
        {"fields": {"email": "b@camelot.example.com", "password": "sha1$a$b"}},
    ]
    with pytest.raises(SystemExit, match="the file has invalid users, see above; nothing was imported"):
        await import_file(json.dumps(django), options=("--format", "django"))
    assert "user 2: hashed_password: MD5 and plain SHA hashes are guessed too easily." in capsys.readouterr().err
    assert await users(busy_world) == {}


@pytest.mark.parametrize(
    ("source", "text", "message"),
    [
        ("firebase", "{}", "The file has no list of users"),
        (
            "firebase",
            '{"users": [{"email": "a@b.org", "passwordHash": "YQ==", "salt": "YQ=="}]}',
            "This is not a user as",
        ),
        (
            "keycloak",
            '{"users": [{"credentials": [{"type": "password"}]}]}',
            "This is not a user as keycloak exports it",
        ),
        ("keycloak", '{"users": [{"createdTimestamp": "then"}]}', "This is not a user as keycloak exports it"),
        ("keycloak", '{"users": [{"createdTimestamp": 1e300}]}', "This is not a user as keycloak exports it"),
        ("firebase", f'{{"users": [{{"createdAt": "{"9" * 400}"}}]}}', "This is not a user as firebase exports it"),
        (
            "keycloak",
            f'{{"users": [{{"credentials": [{{"type": "password", "credentialData": "{"[" * 100_000}"}}]}}]}}',
            "This is not a user as keycloak exports it",
        ),
        ("django", f'[{{"pk": {"9" * 5_000}}}]', "The file is not valid JSON here"),
        ("supabase", '[{"email": "a@b.org", "created_at": "then"}]', "This is not a user as supabase exports it"),
        ("django", "[1]", "This is not a user as django exports it"),
        ("django", "[{]", "The file is not valid JSON here"),
        ("django", '[{"fields": ', "The file is not valid JSON here"),
        ("django", "[" * 100_000, "The file is not valid JSON here"),
        ("django", "{" + " " * 2 * ENTRY_LENGTH, "The file is not valid JSON here"),
    ],
)
def test_file_that_is_no_export_is_refused(source: str, text: str, message: str) -> None:
    with pytest.raises(Fault, match=message):
        emails(source, text)


def test_large_document_is_read_in_pieces() -> None:
    many = [{"email": f"user{number}@camelot.example.com"} for number in range(5_000)]
    document = json.dumps({"roles": ["x" * 200_000], "users": many, "clients": []}, indent=2)

    assert emails("keycloak", document) == [user["email"] for user in many]


@pytest.mark.parametrize("separator", ["\n", ", "])
def test_users_may_be_lines_or_an_array(separator: str) -> None:
    lines = separator.join(json.dumps({"email": f"{name}@camelot.example.com"}) for name in ("arthur", "bors"))
    assert (
        emails("auth0", f"[{lines}]")
        == emails("auth0", lines)
        == ["arthur@camelot.example.com", "bors@camelot.example.com"]
    )


@pytest.mark.parametrize(
    ("source", "user"),
    [
        ("django", {"fields": {"email": "a@b.org", "first_name": None, "last_name": "Pendragon"}}),
        ("keycloak", {"email": "a@b.org", "firstName": "Pendragon", "lastName": None}),
    ],
)
def test_missing_part_of_a_name_is_left_out(source: str, user: dict[str, Any]) -> None:
    assert SOURCES[source](user, {})["display_name"] == "Pendragon"


def test_auth0s_identifiers_have_the_email() -> None:
    user = {"identifiers": [{"type": "email", "value": "a@camelot.example.com", "verified": True}]}
    [(_, converted_user)] = converted("auth0", StringIO(json.dumps(user)), lambda: None)
    assert converted_user == {
        "email": "a@camelot.example.com",
        "display_name": "",
        "is_verified": True,
        "is_active": True,
    }


def test_banned_user_of_supabase_is_inactive() -> None:
    user = {"email": "a@camelot.example.com", "banned_until": "2999-01-01 00:00:00+00"}
    [(_, converted_user)] = converted("supabase", StringIO(json.dumps([user])), lambda: None)
    assert isinstance(converted_user, dict)
    assert converted_user["is_active"] is False
