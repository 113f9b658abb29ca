"""Numbers on a command line: what is out of range is refused in one line, before anything starts."""

import argparse
import math
from collections.abc import Callable, Sequence


def at_least(least: int) -> Callable[[str], int]:
    """Return an ``argparse`` type of integers that are not below ``least``."""

    def number(given: str) -> int:
        if not (given.isascii() and given.isdecimal()) or int(given) < least:
            raise argparse.ArgumentTypeError(f"{given!r} is not a number of at least {least:,}")
        return int(given)

    return number


def positive(given: str) -> float:
    """Read a number above zero; an ``argparse`` type."""
    try:
        number = float(given)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{given!r} is not a number above zero")
    return number


def minutes(arguments: Sequence[str]) -> float:
    """Parse a command line that is a number of minutes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("minutes", type=positive, metavar="MINUTES")
    number: float = parser.parse_args(arguments).minutes
    return number
