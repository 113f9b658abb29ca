"""libpq itself, to compare with: its parameters, and how it reads a URL."""

import ctypes
import ctypes.util
from functools import cache
from itertools import count
from pathlib import Path

from postgres_host import program


class Option(ctypes.Structure):
    """PQconninfoOption (PostgreSQL 18, 32.1)."""

    _fields_ = (
        *((name, ctypes.c_char_p) for name in ("keyword", "envvar", "compiled", "val", "label", "dispchar")),
        ("dispsize", ctypes.c_int),
    )


@cache
def library() -> ctypes.CDLL:
    bundled = Path(program("psql")).parent.parent / "lib/libpq.so.5"
    loaded = ctypes.CDLL(str(bundled) if bundled.exists() else ctypes.util.find_library("pq"))
    for function in (loaded.PQconndefaults, loaded.PQconninfoParse):
        function.restype = ctypes.POINTER(Option)
    return loaded


def parameters() -> list[str]:
    """Return the names of all parameters."""
    return [*_read(library().PQconndefaults())]


def parse(url: str) -> dict[str, str] | None:
    """Return the parameters that libpq reads from a URL; None if it refuses the URL."""
    error = ctypes.c_char_p()
    options = library().PQconninfoParse(url.encode(), ctypes.byref(error))
    return {name: value for name, value in _read(options).items() if value is not None} if options else None


def _read(options: "ctypes._Pointer[Option]") -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for option in map(options.__getitem__, count()):
        if option.keyword is None:
            break
        found[option.keyword.decode()] = None if option.val is None else option.val.decode()
    return found
