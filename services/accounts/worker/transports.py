"""How a letter leaves: over SMTP, or as a file; and why it did not, in one line that names nobody."""

import asyncio
import os
import re
import tempfile
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol

from accounts.settings import Settings, SettingsError
from accounts.worker.delivery_errors import TemporaryFailure
from accounts.worker.message import KIND_HEADER
from accounts.worker.smtp import Smtp

UNSAFE = re.compile(r"[^a-z0-9@+-]+")  # a dot as well: what follows one is what a file is opened by
NAME_LENGTH = 80


class Transport(Protocol):
    """Whatever takes letters."""

    async def send(self, message: EmailMessage) -> None:
        """Hand a letter over.

        Raises:
            Temporary: it may be taken later.
            Permanent: it will never be taken.

        """


@dataclass(frozen=True)
class Folder:
    """A directory, for development: each letter is a file that mail programs open, with its links as they are."""

    path: Path

    async def send(self, message: EmailMessage) -> None:
        """Write a letter as a file for its owner alone, which appears whole.

        Raises:
            Temporary: the file cannot be written.

        """
        try:
            await asyncio.to_thread(self._write, _name(message), _readable(message))
        except OSError as error:
            raise TemporaryFailure(f"MAIL_FOLDER cannot be written: {error.strerror}") from None

    def _write(self, name: str, content: bytes) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, unfinished = tempfile.mkstemp(prefix=".", dir=self.path)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(unfinished).rename(self.path / name)


def transport(settings: Settings) -> Transport:
    """Choose where letters go: to the mail server that is set; without one, in development, into a folder.

    Raises:
        SettingsError: there is neither, or the server's password would be sent in the clear.

    """
    if settings.smtp_host:
        return _smtp(settings)
    if settings.mail_folder and settings.development:
        return Folder(settings.mail_folder)
    raise SettingsError("accounts: SMTP_HOST is not set, so that mail has nowhere to go")


def _smtp(settings: Settings) -> Smtp:
    try:
        return Smtp(
            settings.smtp_host,
            settings.smtp_port,
            security=settings.smtp_security,
            username=settings.smtp_username,
            password=settings.smtp_password.get_secret_value(),
        )
    except ValueError as error:
        raise SettingsError(f"accounts: {error}") from None


def _name(message: EmailMessage) -> str:
    """Name a file so that names are in order of time, and tell what it is and for whom; no two are the same."""
    identity = message["Message-ID"].strip("<>").partition("@")[0]
    about = UNSAFE.sub("_", f"{message[KIND_HEADER]}-{message['To'].addresses[0].addr_spec}".lower())
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{about[:NAME_LENGTH]}-{identity[-8:]}.eml"


def _readable(message: EmailMessage) -> bytes:
    shown = deepcopy(message)
    for part in shown.iter_parts():
        part.set_content(part.get_content(), subtype=part.get_content_subtype(), cte="8bit")
    utf8 = not message["To"].addresses[0].addr_spec.isascii()
    return shown.as_bytes(policy=policy.SMTPUTF8 if utf8 else policy.SMTP)
