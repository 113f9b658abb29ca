"""Languages that mail can be written in, and which of them somebody reads."""

import re
from functools import cache
from importlib import resources

import accounts

FALLBACK = "en"
ANY = "*"
# RFC 9110, 12.4.2 and 12.5.4.
_CHOICE = re.compile(
    r"(?P<range>\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*)(?:[ \t]*;[ \t]*q=(?P<quality>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?",
    re.IGNORECASE,
)


@cache
def available_languages() -> frozenset[str]:
    """List the tags (RFC 5646) of the languages that have a file in ``worker/languages``."""
    files = resources.files(accounts) / "worker" / "languages"
    return frozenset(file.name.removesuffix(".toml") for file in files.iterdir() if file.name.endswith(".toml"))


def best_language(tag: str) -> str:
    """Find the language that there is for a tag, by its beginning, as in RFC 4647, 3.4; English, if there is none."""
    return _lookup(tag) or FALLBACK


def negotiate_language(accept_language: str) -> str:
    """Choose by an Accept-Language header (RFC 9110, 12.5.4), passing over what is not well-formed in it."""
    found = (_CHOICE.fullmatch(part.strip(" \t")) for part in accept_language.split(","))
    choices = {each["range"].lower(): float(each["quality"] or 1) for each in found if each}
    accepted = [tag for tag in available_languages() if choices.get(tag.lower(), 1) > 0]
    wanted = sorted((tag for tag, quality in choices.items() if quality > 0), key=lambda tag: -choices[tag])
    for tag in wanted:
        language = _any(accepted) if tag == ANY else _lookup(tag)
        if language in accepted:
            return language
    return FALLBACK


def _any(accepted: list[str]) -> str | None:
    return FALLBACK if FALLBACK in accepted else min(accepted, default=None)


def _lookup(tag: str) -> str | None:
    tags = {each.lower(): each for each in available_languages()}
    parts = tag.lower().split("-")
    beginnings = ("-".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((tags[each] for each in beginnings if each in tags), None)
