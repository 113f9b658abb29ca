"""The file of breached passwords: as a set has them, and never half written."""

import hashlib
import random
from contextlib import closing
from pathlib import Path

import pytest

from accounts.commands import breached_passwords
from accounts.domain.breached_passwords.hash_file import HEADER, WIDTH, HashFile, convert
from accounts.domain.breached_passwords.lists import check_file, open_lists
from accounts.settings import SettingsError, get_settings
from support.range_api import sha1

LEAKED = "correct horse battery staple"


def shares(_: int) -> None:
    """Show no progress."""


def listed(folder: Path, *hashes: str) -> Path:
    """Write a list of these hashes."""
    source, target = folder / "download.txt", folder / "list"
    source.write_text("".join(f"{each}:1\r\n" for each in sorted(hashes)), newline="")
    convert(source, target, shares)
    return target


@pytest.mark.parametrize("number", [0, 1, 2, 1000])
async def test_file_contains_what_a_set_contains(tmp_path: Path, number: int) -> None:
    chance = random.Random(number)  # noqa: S311  # the same hashes at each run
    hashes = {chance.randbytes(20) for _ in range(number)}
    others = {chance.randbytes(20) for _ in range(200)} | {
        each[:5] + bytes([each[5] ^ 1]) + each[6:] for each in hashes
    }

    with closing(HashFile(listed(tmp_path, *(each.hex().upper() for each in hashes)))) as file:
        for digest in (*list(hashes)[:200], *others, bytes(20), b"\xff" * 20):
            assert await file.contains(digest) is (digest in hashes)


async def test_password_in_the_file_is_breached(tmp_path: Path) -> None:
    path = listed(tmp_path, sha1(LEAKED), "0" * 40, "F" * 40)

    async with open_lists(get_settings().model_copy(update={"breached_passwords_file": path})) as is_breached:
        assert (await is_breached(LEAKED), await is_breached("another")) == (True, False)


async def test_without_lists_no_password_is_breached() -> None:
    async with open_lists(get_settings()) as is_breached:
        assert not await is_breached(LEAKED)


def test_conversion_skips_padding_and_takes_small_letters_and_lines_without_count(tmp_path: Path) -> None:
    source, target = tmp_path / "download.txt", tmp_path / "list"
    source.write_text(f"{'0' * 40}:0\n{'a' * 40}:12\n{'B' * 40}\n{'B' * 39}C:1")

    assert convert(source, target, shares) == 2
    assert target.read_bytes() == HEADER + b"\xaa" * WIDTH + b"\xbb" * WIDTH


def test_progress_is_told_in_256ths(tmp_path: Path) -> None:
    source, seen = tmp_path / "download.txt", list[int]()
    source.write_text("".join(f"{byte:02X}{rest:038X}:1\n" for byte in (0, 128, 255) for rest in (1, 2**148)))

    convert(source, tmp_path / "list", seen.append)

    assert seen == [0, 128, 255]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("B" * 40 + ":1\n" + "A" * 40 + ":1\n", "line 2 is out of order: sort the file by hash"),
        ("A" * 40 + ":1\n" + "a" * 40 + ":1\n", "line 2 is out of order: sort the file by hash"),
        ("A" * 40 + ":1\n\n", "line 2 is not a SHA-1 hash with a count"),
        ("A" * 32 + ":1\n", "line 1 is not a SHA-1 hash with a count"),
        ("A" * 10_000_000, "line 1 is not a SHA-1 hash with a count"),
        ("A" * 40 + ":many\n", "line 1 is not a SHA-1 hash with a count"),
    ],
)
def test_bad_line_is_named_and_leaves_the_old_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    source, target = tmp_path / "download.txt", listed(tmp_path, sha1(LEAKED))
    source.write_text(content)
    before = target.read_bytes()

    with pytest.raises(SystemExit) as ended:
        breached_passwords.main([str(source), str(target)])

    assert ended.value.code == f"breached: {message}"
    assert target.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["download.txt", "list"]
    assert capsys.readouterr().out == ""


def test_interrupted_conversion_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    source = tmp_path / "download.txt"
    source.write_text(f"{sha1(LEAKED)}:1\n")
    monkeypatch.setattr(breached_passwords, "_show", interrupt)

    with pytest.raises(SystemExit) as ended:
        breached_passwords.main([str(source), str(tmp_path / "list")])

    assert ended.value.code == 130
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize(("terminal", "shown"), [(True, "\r67% "), (False, "")])
def test_command_says_how_many_passwords_it_wrote(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,  # noqa: FBT001  # a case
    shown: str,
) -> None:
    source, target = tmp_path / "download.txt", tmp_path / "list"
    source.write_text(f"{'AB' * 20}:1\n")
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)

    breached_passwords.main([str(source), str(target)])

    printed = capsys.readouterr()
    assert (printed.out, printed.err) == (f"Wrote 1 passwords to {target}\n", shown)


INCOMPLETE = "it is not a complete list as make breached writes it"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        (b"", INCOMPLETE),
        (b"A" * 40 + b":1\n", INCOMPLETE),
        (HEADER[:-1], INCOMPLETE),
        (HEADER + b"12345", INCOMPLETE),
        (HEADER + b"1234567", INCOMPLETE),
    ],
)
async def test_unusable_file_is_refused_at_the_start(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "list"
    if content is not None:
        path.write_bytes(content)
    settings = get_settings().model_copy(update={"breached_passwords_file": path})

    with pytest.raises(SettingsError) as ended:
        check_file(settings)
    assert ended.value.code == f"accounts: BREACHED_PASSWORDS_FILE: {reason}"
    with pytest.raises(SettingsError):
        await open_lists(settings).__aenter__()


async def test_file_that_is_cut_while_in_use_accepts_the_password(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = listed(tmp_path, sha1(LEAKED))
    async with open_lists(get_settings().model_copy(update={"breached_passwords_file": path})) as is_breached:
        path.write_bytes(HEADER)
        assert not await is_breached(LEAKED)

    assert "BREACHED_PASSWORDS_FILE for 30 s: the file was cut while in use" in caplog.text


async def test_running_lookups_keep_the_old_list_when_a_new_one_is_written(tmp_path: Path) -> None:
    path = listed(tmp_path, sha1(LEAKED))
    async with open_lists(get_settings().model_copy(update={"breached_passwords_file": path})) as is_breached:
        listed(tmp_path, hashlib.sha1(b"x", usedforsecurity=False).hexdigest().upper())
        assert await is_breached(LEAKED)
