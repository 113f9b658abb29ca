"""Rotates the keys named on the command line, SECRET_KEY or SIGNING_KEY: in ``.env``, or in files of secrets.

The new key is the first one, and signs from KEYS_ROTATE_AT on. Until then every process gets to know it by a deploy,
and every service that caches the public keys by its next request for them. So no token is refused.

Needs only Python 3.9.
"""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import environment
from keys import put_before

PUBLISHED_FIRST = timedelta(minutes=15)  # for the deploy, and the five minutes for which public keys are cached
KEYS = ("SECRET_KEY", "SIGNING_KEY")
UTC = timezone.utc  # noqa: UP017  # Python 3.9 has no datetime.UTC


def rotate(*names: str) -> None:
    """Put a new key in front of the current one of each variable, and drop older ones.

    Raises:
        ValueError: a name is not one of KEYS, SECRET_KEY is missing, or tokens of an older key are still valid.

    """
    if unknown := [name for name in names if name not in KEYS]:
        raise ValueError(f"{unknown[0]} has no keys to rotate; {' and '.join(KEYS)} have")
    file, now = environment.read(environment.FILE), datetime.now(UTC).replace(microsecond=0)
    complete = _time(file.get("KEYS_ROTATE_AT")) + _token_lifetime(file)
    if complete > now:
        raise ValueError(f"the last rotation ends at {complete}; until then tokens need the key before")
    old = {name: file.get(name) or _text(secret_file(name)) for name in ("SECRET_KEY", *names)}
    if not old["SECRET_KEY"]:
        raise ValueError("SECRET_KEY is missing; make up creates one")
    new = {name: put_before(name, old[name]) for name in names}
    variables = {name: value for name, value in new.items() if file.get(name) or not secret_file(name).exists()}
    # First: new keys must not be read without it.
    environment.assign(KEYS_ROTATE_AT=(now + PUBLISHED_FIRST).isoformat(), **variables)
    for name in new.keys() - variables.keys():
        environment.write(secret_file(name), new[name], mode=0o444)
    print(f"{' and '.join(names)}: new keys sign from {now + PUBLISHED_FIRST}. Users stay signed in.", file=sys.stderr)


def in_use() -> list[str]:
    """Return the variables that have keys. SECRET_KEY always should."""
    pairs = environment.read(environment.FILE).get("SIGNING_KEY") or _text(secret_file("SIGNING_KEY"))
    return [*KEYS] if pairs else ["SECRET_KEY"]


def secret_file(name: str) -> Path:
    """Return the file that has a secret with deploy/compose.secrets.yaml."""
    folder = environment.effective({}).get("SECRETS_FOLDER") or ".local/secrets"
    return environment.FILE.parent / folder / name.lower()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


def _time(text: str | None) -> datetime:
    return datetime.fromisoformat(re.sub("Z$", "+00:00", text or "2000-01-01T00:00Z")).astimezone(UTC)


def _token_lifetime(file: dict[str, str]) -> timedelta:
    return timedelta(seconds=int(file.get("ACCESS_TOKEN_SECONDS") or 900))


if __name__ == "__main__":
    try:
        rotate(*(sys.argv[1:] or in_use()))
    except (OSError, ValueError) as error:
        sys.exit(f".env: {error}")
