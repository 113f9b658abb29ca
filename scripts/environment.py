"""``.env``: made from ``.env.example`` with fresh secrets, checked against it, and read.

Runs on whatever ``python3`` a machine has (3.9 or later): who uses Docker needs no other.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from difflib import get_close_matches
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / ".env.example"
FILE = ROOT / ".env"
PLACEHOLDER = "change-me"
LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*", re.ASCII)


def read(path: Path) -> dict[str, str]:
    """The variables of ``path``, without quotes and comments; none where it is missing."""
    if not path.exists():
        return {}
    lines = (LINE.fullmatch(line) for line in path.read_text(encoding="utf-8").splitlines())
    return {line[1]: _value(line[2]) for line in lines if line}


def effective() -> dict[str, str]:
    """What a process gets: ``.env``, and over it the variables that this process was given."""
    return {**read(FILE), **os.environ}


def address(environment: dict[str, str]) -> tuple[str, int]:
    """The host and port at which this machine reaches the API.

    Raises:
        ValueError: API_PORT is no port.

    """
    port = environment.get("API_PORT", "8000")
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):  # noqa: PLR2004  # the range of ports
        raise ValueError(f"API_PORT is {port!r}, which is no port from 1 to 65535")
    host = environment.get("API_HOST", "127.0.0.1")
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), int(port)  # noqa: S104  # compared, not bound


def create() -> None:
    """Make ``.env``, readable by its owner alone, with a random value for each placeholder."""
    text = re.sub(rf"(?m)=\s*{PLACEHOLDER}\s*$", lambda _: f"={_secret()}", EXAMPLE.read_text(encoding="utf-8"))
    with os.fdopen(os.open(FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    _say("made from .env.example with fresh secrets")


def rotate() -> None:
    """Put a fresh SECRET_KEY before the one that signs now, which goes on verifying until the next rotation.

    Raises:
        ValueError: there is no SECRET_KEY to rotate.

    """
    old = read(FILE).get("SECRET_KEY", "").split(",")[0].strip()
    if not old:
        raise ValueError("there is no SECRET_KEY to rotate: make up makes one")
    text = re.sub(
        r"(?m)^(\s*(?:export\s+)?SECRET_KEY\s*=).*$",
        lambda found: f"{found[1]}{_secret()},{old}",
        FILE.read_text("utf-8"),
    )
    fresh = FILE.with_name(".env.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(FILE)  # at once, so that an interruption loses no key
    _say("SECRET_KEY is rotated; make up lets it sign, and nobody is signed out")


def check() -> None:
    """Add each secret that ``.env`` lacks, and warn of what nothing will read."""
    known, given = read(EXAMPLE), read(FILE)
    for name in [name for name, value in known.items() if value == PLACEHOLDER and name not in given]:
        with FILE.open("a", encoding="utf-8") as file:
            file.write(f"\n{name}={_secret()}\n")
        _say(f"{name} was missing and has got a random value")
    for name in [name for name in given if name not in known and not name.startswith("COMPOSE_")]:
        close = get_close_matches(name, known, n=1)
        _say(f"{name} is no variable of .env.example" + (f", did you mean {close[0]}?" if close else ""))
    for number, line in enumerate(FILE.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#") and not LINE.fullmatch(line):
            _say(f"line {number} is not NAME=value")


def _value(text: str) -> str:
    quoted = re.match(r"""(['"])(.*?)\1\s*(?:#.*)?$""", text)
    return quoted[2] if quoted else re.sub(r"(^|\s+)#.*", "", text)


def _secret() -> str:
    return secrets.token_hex(32)


def _say(message: str) -> None:
    print(f".env: {message}", file=sys.stderr)


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["rotate"]:
            rotate()
        else:
            check() if FILE.exists() else create()
    except (OSError, ValueError) as error:
        sys.exit(f".env: {error}")
