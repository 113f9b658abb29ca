"""Creates, checks and reads ``.env``.

A variable that ``make up`` was given counts for later commands as well: ``remember`` stores those that differ from
``.env``, and ``overrides`` prints them for a shell. ``get NAME`` prints the value of a variable. ``providers`` writes
those of sign-in providers to a file for Compose.

Needs only Python 3.9, since people who use Docker have no other on their machine.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from env_file import assignments, parse, quote
from keys import key_pair, secret

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / ".env.example"
FILE = ROOT / ".env"
OVERRIDES = ROOT / ".local" / "overrides"
PROVIDERS = ROOT / ".local" / "providers.env"
PLACEHOLDER = "change-me"
PROVIDER_VARIABLE = re.compile(r"OIDC_(?!PROVIDERS$)\w+")
# Created with the file: an earlier installation goes on as the project "accounts", with its data.
PROJECT = """
# Docker Compose's project: containers, volumes and image of this copy, apart from those of another one on this machine.
COMPOSE_PROJECT_NAME=accounts-{}
"""


def read(path: Path, variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables in ``path``, which may refer to ``variables``; none if the file is missing.

    Raises:
        EnvFileError: a line cannot be read.

    """
    return parse(_text(path), variables) if path.exists() else {}


def effective(overrides: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables of ``.env``, overridden by those of the last ``make up``, and by those of this process.

    Args:
        overrides: instead of those of the last ``make up``.

    """
    given = {**(read(OVERRIDES) if overrides is None else overrides), **os.environ}
    return {**read(FILE, given), **given}


def remember() -> None:
    """Store the variables of this process that differ from ``.env``, for later commands."""
    file, known = read(FILE), {*read(EXAMPLE), "TAG"}
    given = {
        name: value
        for name, value in os.environ.items()
        if name in known or name.startswith("COMPOSE_") or PROVIDER_VARIABLE.fullmatch(name)
    }
    differing = {name: value for name, value in given.items() if value != file.get(name)}
    OVERRIDES.parent.mkdir(exist_ok=True)
    write(OVERRIDES, "".join(f"{name}={quote(value)}\n" for name, value in differing.items()))


def write_providers() -> None:
    """Write the variables of sign-in providers, whose names compose.yaml cannot list, to a file that it reads."""
    given = {name: value for name, value in effective({}).items() if PROVIDER_VARIABLE.fullmatch(name)}
    PROVIDERS.parent.mkdir(exist_ok=True)
    write(PROVIDERS, "".join(f"{name}={quote(value)}\n" for name, value in given.items()))


def address(environment: dict[str, str]) -> tuple[str, int]:
    """Return the host and port at which this machine reaches the API.

    Raises:
        ValueError: API_PORT is not a port number.

    """
    port = environment.get("API_PORT") or "8000"
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):  # noqa: PLR2004  # the range of ports
        raise ValueError(f"API_PORT must be a port number from 1 to 65535, not {port!r}")
    host = (environment.get("API_HOST") or "127.0.0.1").strip("[]")
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), int(port)  # noqa: S104  # compared, not bound


def url(environment: dict[str, str]) -> str:
    """Return the URL at which this machine reaches the API."""
    host, port = address(environment)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def create() -> None:
    """Create ``.env``, readable by its owner only, with a random value for each placeholder, and a key pair."""
    text = re.sub(rf"(?m)=\s*{PLACEHOLDER}\s*$", lambda _: f"={secret()}", EXAMPLE.read_text(encoding="utf-8"))
    text = _assign(text, "SIGNING_KEY", key_pair())
    text += PROJECT.format(hashlib.sha256(str(ROOT).encode()).hexdigest()[:6])
    with os.fdopen(os.open(FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    _say("created from .env.example with random secrets")


def assign(**variables: str) -> None:
    """Change variables in ``.env``, all at once."""
    text = _text(FILE)
    for name, value in variables.items():
        text = _assign(text, name, value)
    write(FILE, text)


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file, by default readable by its owner only, at once: an interruption loses no key."""
    fresh = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    fresh.chmod(mode)
    fresh.replace(path)


def check() -> None:
    """Add missing secrets to ``.env``, and warn about unknown variables.

    Raises:
        EnvFileError: a line cannot be read.

    """
    known, given = read(EXAMPLE), read(FILE)
    for name in [name for name, value in known.items() if value == PLACEHOLDER and name not in given]:
        with FILE.open("a", encoding="utf-8") as file:
            file.write(f"\n{name}={secret()}\n")
        _say(f"{name} was missing; added with a random value")
    known.update(dict.fromkeys(_provider_variables(given.get("OIDC_PROVIDERS", "")), ""))
    for name in [name for name in given if name not in known and not name.startswith("COMPOSE_")]:
        close = get_close_matches(name, known, n=1)
        _say(f"{name} is not a variable of .env.example" + (f"; did you mean {close[0]}?" if close else ""))


def _provider_variables(names: str) -> list[str]:
    """Return the variables of the named providers: those which .env.example has for Google."""
    ends = re.findall(r"(?m)^# OIDC_GOOGLE_(\w+)=", _text(EXAMPLE))
    prefixes = [name.strip().upper().replace("-", "_") for name in names.split(",") if name.strip()]
    return [f"OIDC_{prefix}_{end}" for prefix in prefixes for end in ends]


def _text(path: Path) -> str:
    """Return the text of a file with its line ends, which Path.read_text would change in values of several lines."""
    return path.read_bytes().decode("utf-8-sig")


def _assign(text: str, name: str, value: str) -> str:
    found = [each for each in assignments(text, os.environ) if each.name == name]
    if not found:
        return f"{text}\n{name}={quote(value)}\n"
    return text[: found[-1].start] + quote(value) + text[found[-1].end :]


def _say(message: str) -> None:
    print(f".env: {message}", file=sys.stderr)


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["remember"]:
            remember()
        elif sys.argv[1:] == ["providers"]:
            write_providers()
        elif len(sys.argv) == 3 and sys.argv[1] == "get":  # noqa: PLR2004  # get NAME
            print(effective({}).get(sys.argv[2], ""))
        elif sys.argv[1:] == ["overrides"]:
            for name, value in read(OVERRIDES).items():
                print(f"export {name}={shlex.quote(os.environ.get(name, value))}")
        elif sys.argv[1:]:
            sys.exit("usage: scripts/environment.py [remember|providers|overrides|get NAME]")
        else:
            check() if FILE.exists() else create()
    except (OSError, ValueError) as error:
        sys.exit(f".env: {error}")
