"""Users as other systems export them, converted to the members of ``UserLine``. Each system has one function."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain
from json import JSONDecoder, loads
from typing import Any, TextIO

from accounts.domain.identity.stored_hashes import UNUSABLE
from accounts.domain.user_files.user_file import Fault, Record

User = dict[str, Any]
CHUNK = 64 * 1024
ENTRY_LENGTH = 1024 * 1024
USERS_LENGTH = 100  # of the start of the list, at most
DECODER = JSONDecoder()
USERS = re.compile(
    r'"users"\s*:\s*\['
)  # in the documents of Firebase and Keycloak; the others begin with an array or a user
HASH_CONFIG = re.compile(r"\s*hash_config\s*\{([^}]*)\}")
PARAMETER = re.compile(r"(\w+):\s*([^\s,]+)")


def from_auth0(user: User, _: dict[str, str]) -> User:
    """Convert a user of the export with password hashes, which Auth0's support makes, or of the import format."""
    # Newer exports have the email among the identifiers alone.
    emails = [each for each in user.get("identifiers", []) if each.get("type") == "email"] or [{}]
    email = user.get("email") or emails[0].get("value")
    name = user.get("name") or user.get("nickname") or ""
    return {
        "email": email,
        "display_name": "" if name == email else name,
        "hashed_password": user.get("passwordHash") or user.get("password_hash"),
        "is_verified": user.get("email_verified", emails[0].get("verified", False)),
        "is_active": not user.get("blocked", False),
        "created_at": _to_rfc_3339(user.get("created_at")),
    }


def from_firebase(user: User, config: dict[str, str]) -> User:
    """Convert a user of ``firebase auth:export``. ``config`` is the project's hash_config."""
    hashed = None
    if user.get("passwordHash"):
        costs = f"n={config['mem_cost']},r={config['rounds']},p=1"
        keys = f"ss={config['base64_salt_separator']},sk={config['base64_signer_key']}"
        hashed = f"$fbscrypt$v=1,{costs},{keys}${user.get('salt')}${user['passwordHash']}"
    return {
        "email": user.get("email"),
        "display_name": user.get("displayName", ""),
        "hashed_password": hashed,
        "is_verified": user.get("emailVerified", False),
        "is_active": not user.get("disabled", False),
        "created_at": _from_milliseconds(user.get("createdAt")),
    }


def from_keycloak(user: User, _: dict[str, str]) -> User:
    """Convert a user of ``kc.sh export``, with the newest password. Groups stay behind: they have no owners."""
    passwords = [each for each in user.get("credentials", []) if each.get("type") == "password"]
    return {
        "id": user.get("id"),
        "email": user.get("email"),
        "display_name": _full_name(user.get("firstName"), user.get("lastName")),
        "hashed_password": _from_credential(passwords[0]) if passwords else None,
        "is_verified": user.get("emailVerified", False),
        "is_active": user.get("enabled", True),
        "created_at": _from_milliseconds(user.get("createdTimestamp")),
    }


def _from_credential(credential: dict[str, str]) -> str:
    data, secret = loads(credential["credentialData"]), loads(credential["secretData"])
    algorithm, rounds = data["algorithm"], data["hashIterations"]
    salt, value = (secret[name].rstrip("=") for name in ("salt", "value"))
    if algorithm == "argon2":
        more = {name: values[0] for name, values in data["additionalParameters"].items()}
        version = {"1.0": 16, "1.3": 19}[more["version"]]
        costs = f"m={more['memory']},t={rounds},p={more['parallelism']}"
        return f"$argon2{more['type']}$v={version}${costs}${salt}${value}"
    return f"${algorithm}${rounds}${salt}${value}"


def from_supabase(user: User, _: dict[str, str]) -> User:
    """Convert a row of ``auth.users`` as JSON."""
    metadata = user.get("raw_user_meta_data") or {}
    banned = (_to_rfc_3339(user.get("banned_until")) or "") > datetime.now(UTC).isoformat()
    return {
        "id": user.get("id"),
        "email": user.get("email"),
        "display_name": metadata.get("full_name") or metadata.get("name") or "",
        "hashed_password": user.get("encrypted_password"),
        "is_verified": bool(user.get("email_confirmed_at")),
        "is_active": not (banned or user.get("deleted_at")),
        "created_at": _to_rfc_3339(user.get("created_at")),
    }


def from_django(user: User, _: dict[str, str]) -> User:
    """Convert a user of ``manage.py dumpdata auth.user``."""
    fields = user.get("fields", {})
    hashed = fields.get("password") or UNUSABLE
    return {
        "email": fields.get("email"),
        "display_name": _full_name(fields.get("first_name"), fields.get("last_name")),
        "hashed_password": hashed,
        "is_active": fields.get("is_active", True),
        "created_at": _to_rfc_3339(fields.get("date_joined")),
    }


SOURCES: dict[str, Callable[[User, dict[str, str]], User]] = {
    function.__name__.removeprefix("from_"): function
    for function in (from_auth0, from_firebase, from_keycloak, from_supabase, from_django)
}
IN_DOCUMENT = {"firebase", "keycloak"}
UNREADABLE = (AttributeError, KeyError, TypeError, ValueError, IndexError, OverflowError, RecursionError)


def converted(source: str, file: TextIO, without_email: Callable[[], object]) -> Iterator[Record]:
    """Read a file of a source, and convert its users, which are numbered from 1.

    Args:
        source: a key of ``SOURCES``.
        file: one JSON document, or one for each user.
        without_email: is called for each user without an email, who is left out.

    Raises:
        Fault: the file is no such export.

    """
    config: dict[str, str] = {}
    entries = _entries(file, config, in_document=source in IN_DOCUMENT)
    for number, entry in enumerate(entries, start=1):
        try:
            user = SOURCES[source](entry, config)
        except UNREADABLE:
            raise Fault(number, "source", f"This is not a user as {source} exports it") from None
        if user["email"]:
            yield number, {name: value for name, value in user.items() if value is not None}
        else:
            without_email()


def _entries(file: TextIO, config: dict[str, str], *, in_document: bool) -> Iterator[Any]:
    """Read the users one by one: the file may be larger than the memory."""
    text, number = file.read(CHUNK).removeprefix("\ufeff"), 0
    if head := HASH_CONFIG.match(text):
        config.update(PARAMETER.findall(head[1]))
        text = text[head.end() :]
    text = _after_start(file, text) if in_document else text.lstrip().removeprefix("[")
    for chunk in chain(iter(lambda: file.read(CHUNK), ""), [""]):
        while (text := text.lstrip(" \t\r\n,")) and text[0] != "]":
            try:
                entry, end = DECODER.raw_decode(text)
            except (ValueError, RecursionError):  # also a number with thousands of digits
                break
            number += 1
            yield entry
            text = text[end:]
        if text.startswith("]"):
            return
        text += chunk
        if len(text) > ENTRY_LENGTH or (text and not chunk):
            raise Fault(number + 1, "json_invalid", "The file is not valid JSON here")


def _after_start(file: TextIO, text: str) -> str:
    while not (start := USERS.search(text)):
        chunk = file.read(CHUNK)
        if not chunk:
            raise Fault(1, "source", "The file has no list of users")
        text = text[-USERS_LENGTH:] + chunk
    return text[start.end() :]


def _full_name(*names: str | None) -> str:
    return " ".join(filter(None, names)).strip()


def _to_rfc_3339(given: str | None) -> str | None:
    """Convert a time of day, which is in UTC where nothing else is said."""
    if not given:
        return None
    time = datetime.fromisoformat(given)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).isoformat()


def _from_milliseconds(given: Any) -> str | None:
    return datetime.fromtimestamp(int(given) / 1000, UTC).isoformat() if given else None
