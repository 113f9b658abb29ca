"""``make faults``: runs the named faults, or all, and prints as Markdown what clients see."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from faults.catalogue import FAULTS, away
from faults.run import HEAD, outcomes


async def table(names: Sequence[str]) -> int:
    """Print the table, and return the number of broken promises."""
    faults = [fault for fault in FAULTS if not names or fault is away or fault.__name__ in names]
    print(HEAD)
    broken = []
    async for outcome in outcomes(faults):
        print(outcome.row, flush=True)
        broken += [outcome.broken()] if outcome.broken() else []
    for promise in broken:
        print(f"broken: {promise}", file=sys.stderr)
    return len(broken)


def parse(arguments: Sequence[str]) -> Sequence[str]:
    """Parse the command line: the names of faults."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=(__doc__ or "").partition(",")[0])
    parser.add_argument("names", nargs="*", metavar="FAULT", help=", ".join(fault.__name__ for fault in FAULTS))
    names: list[str] = parser.parse_args(arguments).names
    if unknown := {*names} - {fault.__name__ for fault in FAULTS}:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    return names


if __name__ == "__main__":
    sys.exit(asyncio.run(table(parse(sys.argv[1:]))))
