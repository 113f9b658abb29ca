"""Names for devices from User-Agent headers: browser and operating system."""

from collections.abc import Callable

# Order matters: a browser also names those it claims compatibility with.
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
LONGEST = 60


def describe_user_agent(user_agent: str, gettext: Callable[[str], str] = str) -> str:
    """Name a device for people, such as "Firefox on Linux", in the language of ``gettext``.

    A client that is no browser is named by the beginning of its User-Agent.
    """
    browser = next((name for mark, name in BROWSERS.items() if mark in user_agent), None)
    system = next((name for mark, name in SYSTEMS.items() if mark in user_agent), None)
    if browser is None:
        return user_agent[:LONGEST] or gettext("Unknown device")
    return gettext("%(browser)s on %(system)s") % {"browser": browser, "system": system} if system else browser
