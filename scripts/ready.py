"""What ``make up`` says at its end: the API's URL, and the commands to go on with. Needs only Python 3.9."""

from __future__ import annotations

from collections.abc import Mapping

from environment import effective, url

SUPERUSER = ("make superuser EMAIL=me@example.com", "create a superuser")
SEED = ("make seed", "add sample data")
SMOKE = ("make smoke", "sign up, sign in and use the API once")
MAILS = ("make mails", "show mail, which is written to files without SMTP_HOST")
ALWAYS = [("make logs", "follow the logs"), ("make down", "stop everything; data is kept")]


def ready(where: str, environment: Mapping[str, str]) -> str:
    """Return the text for the API at the URL ``where``, without hints of development in production."""
    where = where.replace("//127.0.0.1:", "//localhost:")  # as PUBLIC_URL, to which cookies and passkeys belong
    commands = [SUPERUSER]
    if environment.get("ENVIRONMENT") == "development":
        commands = [SEED, (f"curl -s {where}/user-groups/1/users", "list the users of a group"), SMOKE]
        commands += [] if environment.get("SMTP_HOST") else [MAILS]
    lines = [f"  {command:52}  {text}" for command, text in commands + ALWAYS]
    return "\n".join(["", f"The API is ready at {where}, its documentation at {where}/docs", *lines])


if __name__ == "__main__":
    variables = effective()
    print(ready(url(variables), variables))
