"""What a User-Agent header says to people: a browser and a system, where it is a browser's."""

# In this order: browsers name those that they want to be taken for, too.
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


def describe_user_agent(user_agent: str) -> str:
    """Name a device, as in "Firefox on Linux"; of what is no browser, the beginning of what it calls itself."""
    browser = next((name for mark, name in BROWSERS.items() if mark in user_agent), None)
    system = next((name for mark, name in SYSTEMS.items() if mark in user_agent), None)
    if browser is None:
        return user_agent[:LONGEST] or "Unknown device"
    return f"{browser} on {system}" if system else browser
