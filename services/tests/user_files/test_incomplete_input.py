"""Inputs that end before the file does, as when Docker's client is killed."""

import pytest

from support.people import World
from user_files.conftest import Import, to_bytes
from user_files.test_user_import import ARTHUR, GALAHAD, users

FILE = b"\n".join(map(to_bytes, (ARTHUR, GALAHAD)))


@pytest.mark.parametrize(
    ("end", "options"),
    [(len(FILE) - len(to_bytes(GALAHAD)), ()), (-len(FILE), ()), (len(to_bytes(ARTHUR)), ("--format", "auth0"))],
    ids=["after a line", "at once", "after an object"],
)
async def test_input_that_is_cut_off_is_refused(
    busy_world: World, import_file: Import, end: int, options: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit, match="import-users: the input is not as long as the file; nothing was imported"):
        await import_file(FILE[:end], options=("--bytes", str(len(FILE)), *options))

    assert await users(busy_world) == {}


async def test_input_of_the_right_length_is_imported(busy_world: World, import_file: Import) -> None:
    await import_file(FILE, options=("--bytes", str(len(FILE))))
    assert len(await users(busy_world)) == len([ARTHUR, GALAHAD])
