"""A server that gets requests: its cursors, and the users who are signed in at it."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from urllib.parse import urlencode

from benchmarks.api import Api
from benchmarks.data import PAGE, PASSWORD, Data

TEXTBOOK_READERS = 4  # its sign-ins take long


@dataclass(frozen=True)
class Target:
    """A server on ``data``. ``issuer`` is the port of the server whose tokens it accepts."""

    server: str
    port: int
    issuer: int
    data: Data
    _tokens: dict[str, str] = field(default_factory=dict)

    def readers(self) -> Sequence[Mapping[str, str]]:
        """Return the headers of the users who read, in the order of ``data.readers``."""
        textbook = self.data.textbook_emails[:TEXTBOOK_READERS]
        return list(map(self.authorization, textbook if self.server == "textbook" else self.data.readers))

    def authorization(self, email: str) -> Mapping[str, str]:
        """Return the header of a user, who signs in at the first call."""
        if email not in self._tokens:
            with closing(Api(self.issuer)) as api:
                self._tokens[email] = api.tokens(email, PASSWORD)["access_token"]
        return {"Authorization": f"Bearer {self._tokens[email]}"}

    def page(self, path: str, key: str | None = None, **parameters: str) -> str:
        """Return the path of a page of a list: the first one, or the one after a key."""
        query: dict[str, str | int] = {"limit": PAGE, **parameters}
        if key is not None:
            # The project's cursor is the direction and the key; the good developer's is the key.
            cursor = urlsafe_b64encode(f">{key}".encode()).rstrip(b"=").decode()
            query |= {"after": key} if self.server == "good" else {"cursor": cursor}
        return f"{path}?{urlencode(query)}"

    def pages(self, name: str, path: str) -> Sequence[str]:
        """Return the paths of the first and other pages of a list."""
        return [self.page(path), *(self.page(path, key) for key in self.data.keys[name])]


def request(method: str, path: str, headers: Mapping[str, str] | None = None, body: str = "") -> str:
    """Return the text of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Accept: */*"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines) + "\r\n\r\n" + body
