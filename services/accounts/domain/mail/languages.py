"""Language negotiation: which available language suits an Accept-Language header or a language tag."""

import re

from accounts.translations import SOURCE_LANGUAGE, available_languages

ANY = "*"
# A client chooses the header, and looking a tag up is quadratic in its subtags: both are bounded (RFC 5646, 4.4.1).
MAX_HEADER_LENGTH = 1000
# RFC 9110, 12.4.2 and 12.5.4.
_CHOICE = re.compile(
    r"(?P<range>\*|[a-z]{1,8}(?:-[a-z0-9]{1,8}){0,7})"
    r"(?:[ \t]*;[ \t]*q=(?P<quality>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?",
    re.IGNORECASE,
)


def best_language(tag: str) -> str:
    """Return the available language for a tag, by its longest prefix (RFC 4647, 3.4); English if there is none."""
    return _lookup(tag) or SOURCE_LANGUAGE


def negotiate_language(accept_language: str) -> str:
    """Return the language that an Accept-Language header prefers (RFC 9110, 12.5.4). Malformed parts are ignored."""
    matches = (_CHOICE.fullmatch(part.strip(" \t")) for part in accept_language[:MAX_HEADER_LENGTH].split(","))
    qualities = {match["range"].lower(): float(match["quality"] or 1) for match in matches if match}
    accepted = [tag for tag in available_languages() if qualities.get(tag.lower(), 1) > 0]
    preferred = sorted((tag for tag, quality in qualities.items() if quality > 0), key=lambda tag: -qualities[tag])
    for tag in preferred:
        language = _any(accepted) if tag == ANY else _lookup(tag)
        if language in accepted:
            return language
    return SOURCE_LANGUAGE


def _any(accepted: list[str]) -> str | None:
    return SOURCE_LANGUAGE if SOURCE_LANGUAGE in accepted else min(accepted, default=None)


def _lookup(tag: str) -> str | None:
    tags = {available.lower(): available for available in available_languages()}
    subtags = tag.lower().split("-")
    prefixes = ("-".join(subtags[:length]) for length in range(len(subtags), 0, -1))
    return next((tags[prefix] for prefix in prefixes if prefix in tags), None)
