"""The colours that follow from an accent are readable on every ground of the pages, in light and dark."""

import re
from itertools import product
from pathlib import Path

import pytest

import accounts
from accounts.branding.colours import MIN_CONTRAST, contrast, palette_of, text_on

ACCENTS = [f"#{bytes(channels).hex()}" for channels in product((0, 51, 119, 187, 255), repeat=3)]
STYLE = (Path(accounts.__file__).parent / "api/account_pages/static/site.css").read_text()


def grounds(style: str) -> set[str]:
    """Return the colours that text stands on, as ``#rrggbb``."""
    found = re.findall(r"--(?:surface|[a-z-]*ground): #([0-9a-f]+);", style)
    return {f"#{each}" if len(each) == 6 else "#" + "".join(2 * digit for digit in each) for each in found}


def test_links_and_buttons_are_readable_with_any_accent() -> None:
    light, dark = map(grounds, STYLE.split("@media (prefers-color-scheme: dark)", 1))
    assert len(light) > 2
    assert len(dark) > 2

    for accent in ACCENTS:
        palette = palette_of(accent)
        for tone, shown in ((palette.light, light), (palette.dark, dark)):
            for ground in shown:
                assert contrast(tone.act, ground) >= MIN_CONTRAST, (accent, ground)
            assert contrast(tone.on_act, tone.act) >= MIN_CONTRAST
            assert contrast(tone.on_fill, tone.fill) >= MIN_CONTRAST


def test_buttons_have_the_accent_itself() -> None:
    palette = palette_of("#ffd400")

    assert palette.light.fill == palette.dark.fill == "#ffd400"
    assert palette.light.on_fill == "#000000"


def test_accent_that_is_readable_stays_as_it_is() -> None:
    assert palette_of("#0b57b8").light.act == "#0b57b8"


@pytest.mark.parametrize(("ground", "ink"), [("#ffffff", "#000000"), ("#000000", "#ffffff"), ("#0b57b8", "#ffffff")])
def test_text_on_a_colour_is_black_or_white(ground: str, ink: str) -> None:
    assert text_on(ground) == ink


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
