"""The logo of LOGO_FILE: an SVG or PNG file, read once."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from accounts.settings import Settings, SettingsError

MAX_BYTES = 200_000
PNG = b"\x89PNG\r\n\x1a\n"
SVG = re.compile(
    rb"<svg\b[^>]*\bxmlns\s*=\s*[\"']http://www\.w3\.org/2000/svg[\"']"
)  # without it, browsers show no image


class Logo(NamedTuple):
    """An image and its media type."""

    content: bytes
    media_type: str


@cache
def read_logo(path: Path) -> Logo:
    """Read a logo. A file that is replaced shows after a restart.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no SVG or PNG file, or too large.

    """
    content = path.read_bytes()
    if len(content) > MAX_BYTES:
        raise ValueError(f"is larger than {MAX_BYTES // 1000} kB")
    if content.startswith(PNG):
        return Logo(content, "image/png")
    if SVG.search(content):
        return Logo(content, "image/svg+xml")
    raise ValueError("is no SVG or PNG file")


def check_logo(settings: Settings) -> None:
    """Check LOGO_FILE before anything is started.

    Raises:
        SettingsError: it is not usable.

    """
    if settings.logo_file is None:
        return
    try:
        read_logo(settings.logo_file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"accounts: LOGO_FILE: {reason}") from None
