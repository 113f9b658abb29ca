"""Device names for people, from the User-Agent header."""

from collections.abc import Callable

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


def describe_user_agent(user_agent: str, gettext: Callable[[str], str] = str) -> str:
    """Return a name such as "Firefox on Linux"; for other programs, the first 60 characters of the header.

    ``gettext`` translates it.
    """
    browser = next((name for mark, name in BROWSERS.items() if mark in user_agent), None)
    system = next((name for mark, name in SYSTEMS.items() if mark in user_agent), None)
    if browser is None:
        return user_agent[:MAX_LENGTH] or gettext("Unknown device")
    return gettext("%(browser)s on %(system)s") % {"browser": browser, "system": system} if system else browser
