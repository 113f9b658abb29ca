"""A list of breached passwords as a file: the first six bytes of their SHA-1 hashes, sorted, after a line of text.

A lookup is a binary search of about thirty reads. Not by mmap: a file that is cut, or a disk that fails, would end the
process, and a slow disk would stop all requests. Of a billion entries, six bytes confuse one password in 280,000.

``make breached`` runs this module with the system's Python, so it uses the standard library of 3.9.
"""

import os
import re
from asyncio import to_thread
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

HEADER = b"accounts: breached passwords, 1\n"
WIDTH = 6
LONGEST_LINE = 100
LINE = re.compile(rb"([0-9A-F]{40})(?::([0-9]{1,12}))?\r?\n?")


class HashFile:
    """A file that is open for lookups; a sequence, for ``bisect``.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such list.

    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        size = os.fstat(self._file.fileno()).st_size - len(HEADER)
        if self._file.read(len(HEADER)) != HEADER or size % WIDTH:
            self._file.close()
            raise ValueError("it is not a complete list as make breached writes it")
        self._length = size // WIDTH

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> bytes:
        prefix = os.pread(self._file.fileno(), WIDTH, len(HEADER) + index * WIDTH)
        if len(prefix) < WIDTH:
            raise OSError("the file was cut while in use")
        return prefix

    async def contains(self, digest: bytes) -> bool:
        """Return whether the list has a SHA-1 hash. Reads in a thread, because the disk may be slow.

        Raises:
            OSError: the file cannot be read any more.

        """
        return await to_thread(self._has, digest[:WIDTH])

    def _has(self, prefix: bytes) -> bool:
        index = bisect_left(self, prefix)
        return index < len(self) and self[index] == prefix


def convert(source: Path, target: Path, progress: Callable[[int], None]) -> int:
    """Write the list of the passwords in ``source``, and return their number. ``target`` is complete or unchanged.

    Args:
        source: lines of a SHA-1 hash in hexadecimal and a count (``<hash>:<count>``), sorted by hash.
        target: the file to write; it may exist.
        progress: called with the share that is read, in 256ths.

    Raises:
        OSError: a file cannot be read or written.
        ValueError: a line is malformed or out of order; the text has its number.

    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with source.open("rb") as lines, temporary.open("xb") as prefixes:
            prefixes.write(HEADER)
            number = _convert(lines, prefixes, progress)
            prefixes.flush()
            os.fsync(prefixes.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return number


def _convert(lines: BinaryIO, prefixes: BinaryIO, progress: Callable[[int], None]) -> int:
    number, last_hash, last_prefix = 0, b"", b""
    for line_number, line in enumerate(iter(lambda: lines.readline(LONGEST_LINE), b""), 1):
        match = LINE.fullmatch(line.upper())
        if not match:
            raise ValueError(f"line {line_number} is not a SHA-1 hash with a count")
        if match[1] <= last_hash:
            raise ValueError(f"line {line_number} is out of order: sort the file by hash")
        last_hash = match[1]
        prefix = bytes.fromhex(last_hash[: 2 * WIDTH].decode())
        if prefix == last_prefix or int(match[2] or 1) == 0:
            continue  # it begins like the last one, or is padding of the range API
        if prefix[:1] != last_prefix[:1]:
            progress(prefix[0])
        prefixes.write(prefix)
        number, last_prefix = number + 1, prefix
    return number
