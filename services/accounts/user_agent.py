"""Device names for people, from the User-Agent header."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

# The order matters: browsers also name the ones that they are compatible with.
BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}
MAX_LENGTH = 60


class Device(NamedTuple):
    """What a device is called: its browser and its operating system, or the beginning of what a program says."""

    browser: str
    system: str = ""

    @classmethod
    def recorded(cls, detail: Mapping[str, Any]) -> Self | None:
        """Return the device in the detail of an audit event."""
        if "browser" not in detail:
            return None
        return cls(str(detail["browser"]), str(detail.get("system", "")))

    def name(self, gettext: Callable[[str], str]) -> str:
        """Return a name such as "Firefox on Linux", translated by ``gettext``."""
        if self.system:
            return gettext("%(browser)s on %(system)s") % self._asdict()
        return self.browser or gettext("Unknown device")


def parse_user_agent(user_agent: str) -> Device:
    """Return the device that a header names; of a program that is no browser, the first 60 characters of the header."""
    browser = next((name for mark, name in BROWSERS.items() if mark in user_agent), None)
    system = next((name for mark, name in SYSTEMS.items() if mark in user_agent), "")
    return Device(browser, system) if browser else Device(user_agent[:MAX_LENGTH])


def describe_user_agent(user_agent: str, gettext: Callable[[str], str] = str) -> str:
    """Return the name of the device that a header names."""
    return parse_user_agent(user_agent).name(gettext)
