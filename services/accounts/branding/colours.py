"""The colours that follow from ACCENT_COLOR, readable in light and dark (WCAG 2.2, 1.4.3)."""

from dataclasses import dataclass
from functools import cache

BLACK, WHITE = "#000000", "#ffffff"
# No ground of pages and letters gives coloured text less contrast than these.
LIGHT_GROUND, DARK_GROUND = "#eaeaea", "#343434"
MIN_CONTRAST = 4.5
STEPS = 50  # from a colour to black or white


@dataclass(frozen=True, slots=True)
class Tone:
    """The colours of light or dark pages: links and outlines, filled buttons, and the text on both."""

    act: str
    on_act: str
    fill: str
    on_fill: str


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of light and of dark pages."""

    light: Tone
    dark: Tone


DEFAULT = Palette(
    light=Tone("#0b57b8", WHITE, "#0b57b8", WHITE),
    dark=Tone("#8db8ff", "#10141a", "#8db8ff", "#10141a"),
)


@cache
def palette_of(accent: str) -> Palette:
    """Return the colours for an accent, ``#rrggbb``: of buttons as it is, of links as dark or light as they need."""
    if not accent:
        return DEFAULT
    return Palette(light=_tone(accent, LIGHT_GROUND, BLACK), dark=_tone(accent, DARK_GROUND, WHITE))


def _tone(accent: str, ground: str, towards: str) -> Tone:
    mixed = (mix(accent, towards, step / STEPS) for step in range(STEPS + 1))
    act = next(each for each in mixed if contrast(each, ground) >= MIN_CONTRAST)
    return Tone(act, text_on(act), accent, text_on(accent))


def text_on(ground: str) -> str:
    """Return black or white, whichever has more contrast; it is always more than 4.5."""
    return max(BLACK, WHITE, key=lambda ink: contrast(ink, ground))


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.2), from 1 to 21."""
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.2), from 0 to 1."""
    red, green, blue = (_linear(each / 255) for each in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def mix(colour: str, other: str, share: float) -> str:
    """Mix two colours; ``share`` is that of the other one, from 0 to 1."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + bytes(round(one + (two - one) * share) for one, two in pairs).hex()


def _channels(colour: str) -> bytes:
    return bytes.fromhex(colour.removeprefix("#"))


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4  # noqa: PLR2004  # sRGB's
