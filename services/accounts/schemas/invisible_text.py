"""Characters that cannot be seen: where text may have them, and that text needs others besides them.

Joiners and variation selectors stay, since emoji, Persian and Indic scripts need them, as do the marks of direction of
Hebrew and Arabic. Refused is what changes or hides the text around it: characters that override, embed or isolate a
direction (UAX #9), line and paragraph separators, interlinear annotations, tags outside of flags, noncharacters, and
variation selectors in a row.
"""

import re

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

# Default_Ignorable_Code_Point, from DerivedCoreProperties.txt of Unicode 17; assigned ahead, it hardly ever changes.
IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(f"{chr(last - 1)}-{chr(last)}" for last in range(0xFFFF, 0x110000, 0x10000))
# Braille's blank and the null notehead are blank, but neither white space nor ignorable.
_VISIBLE = re.compile(f"[^\\s{IGNORABLE}\u2800\U0001d159]")
_HIDDEN = re.compile(
    f"[\u2028-\u202e\u2066-\u206f\ufff9-\ufffb\U000e0000-\U000e00ff\U000e01f0-\U000e0fff{_NONCHARACTERS}]"
    f"|[{_SELECTORS}]{{2}}"
)
# The flags of Scotland, England and others: a black flag, and the region in tags (UTS #51, ED-14a).
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f")
# The look-behind keeps it linear: a run that does not reach the end is tried once, and not from each character.
_AROUND = re.compile(f"(?<![\\s{IGNORABLE}])[\\s{IGNORABLE}]++$|^[\\s{IGNORABLE}]+")


def strip_invisible(text: str) -> str:
    """Remove white space and ignorable characters at both ends, which come along when text is copied."""
    return _AROUND.sub("", text)


def _require_visible(text: str) -> str:
    if _HIDDEN.search(_FLAG.sub("", text)):
        raise PydanticCustomError("hidden_characters", "Input should have no hidden control characters")
    if text and not _VISIBLE.search(text):
        raise PydanticCustomError("invisible", "Input should have a visible character")
    return text


VISIBLE = AfterValidator(_require_visible)
