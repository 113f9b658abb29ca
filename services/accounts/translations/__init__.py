"""Languages of pages and letters: a gettext catalogue for each, and dates and times by Babel.

Messages are written in English, in templates and code, so that English needs no catalogue. Catalogues are read as text
(``.po``) at first use: there are no compiled files that could be missing or out of date.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from importlib import resources
from io import BytesIO

from babel import Locale, dates, numbers
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

SOURCE_LANGUAGE = "en"
DOMAIN = "accounts"


def N_(message: str) -> str:  # noqa: N802  # gettext's name for it
    """Mark a message for translation without translating it yet."""
    return message


@dataclass(frozen=True, eq=False)
class Language:
    """A language by its tag (RFC 5646): messages, dates and times."""

    tag: str
    locale: Locale
    translations: NullTranslations

    @property
    def name(self) -> str:
        """The name of the language in itself, such as "Deutsch"."""
        return (self.locale.language_name or self.tag).capitalize()

    def gettext(self, message: str) -> str:
        """Translate a message; one without a translation stays English."""
        return self.translations.gettext(message)

    def date_time(self, at: datetime) -> str:
        """Format an instant in UTC, such as "Thursday, November 26, 2026 at 18:11 UTC".

        Raises:
            ValueError: the instant has no time zone.

        """
        if at.tzinfo is None:
            raise ValueError("an instant without a time zone")
        at = at.astimezone(UTC)
        text = _full_date(at.date(), self.locale)
        return self.gettext("%(date)s at %(time)s UTC") % {"date": text, "time": f"{at:%H:%M}"}

    def number(self, value: float, digits: int = 0) -> str:
        """Format a number with at most ``digits`` decimals, such as "50,000"."""
        return _decimal(round(value, digits), self.locale)

    def from_now(self, difference: timedelta) -> str:
        """Format a distance to now, such as "in 12 minutes" or "2 days ago"."""
        return dates.format_timedelta(difference, add_direction=True, locale=self.locale)


@lru_cache(maxsize=4096)
def _full_date(day: date, locale: Locale) -> str:
    return dates.format_date(day, "full", locale)


@lru_cache(maxsize=4096)
def _decimal(number: float, locale: Locale) -> str:
    return str(numbers.format_decimal(number, locale=locale))


@cache
def available_languages() -> frozenset[str]:
    """Return the tags (RFC 5646) of English and of every language that has a catalogue."""
    folders = (entry for entry in resources.files(__name__).iterdir() if entry.joinpath("LC_MESSAGES").is_dir())
    return frozenset([SOURCE_LANGUAGE, *(folder.name.replace("_", "-") for folder in folders)])


def list_languages() -> list[Language]:
    """Return all languages, ordered by tag."""
    return [get_language(tag) for tag in sorted(available_languages())]


@cache
def get_language(tag: str) -> Language:
    """Load a language that is available."""
    locale = Locale.parse(tag, sep="-")
    translations = NullTranslations() if tag == SOURCE_LANGUAGE else _read_catalogue(locale)
    return Language(tag, locale, translations)


def _read_catalogue(locale: Locale) -> GNUTranslations:
    path = resources.files(__name__) / str(locale) / "LC_MESSAGES" / f"{DOMAIN}.po"
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale))
    compiled.seek(0)
    return GNUTranslations(compiled)
