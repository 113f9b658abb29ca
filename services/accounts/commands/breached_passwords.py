"""Conversion of a downloaded list of breached passwords: python -m accounts.commands.breached_passwords IN OUT.

It needs neither settings nor installed packages, so that it runs where the list is downloaded.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from accounts.domain.breached_passwords.hash_file import convert

NAME = "breached"


def main(argv: Optional[Sequence[str]] = None) -> None:  # noqa: UP045  # the system's Python may be 3.9
    """Convert a list for BREACHED_PASSWORDS_FILE.

    Raises:
        SystemExit: with status 1 and the reason, 2 for a wrong command line, or 130 for Ctrl-C.

    """
    parser = argparse.ArgumentParser(description="Convert a list of breached passwords for BREACHED_PASSWORDS_FILE.")
    parser.add_argument("source", metavar="IN", type=Path, help="lines of SHA1:count, sorted by hash")
    parser.add_argument("target", metavar="OUT", type=Path, help="the file to write; 6 bytes for each password")
    arguments = parser.parse_args(argv)
    try:
        number = convert(arguments.source, arguments.target, _show)
    except KeyboardInterrupt:
        print(f"{NAME}: interrupted; nothing was changed", file=sys.stderr)
        sys.exit(130)
    except (OSError, ValueError) as error:
        sys.exit(f"{NAME}: {error}")
    print(f"Wrote {number:,} passwords to {arguments.target}")


def _show(share: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{share / 256:.0%} ", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
