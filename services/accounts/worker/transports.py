"""Transports for mail: SMTP, or files in a folder for development."""

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

UNSAFE = re.compile(r"[^a-z0-9@+-]+")  # includes the dot: file types follow one
NAME_LENGTH = 80


class Transport(Protocol):
    """Sends mail."""

    async def send(self, message: EmailMessage) -> None:
        """Send a mail.

        Raises:
            TemporaryFailure: it may be accepted later.
            PermanentFailure: it will never be accepted.

        """

    async def close(self) -> None:
        """End the connections that no mail uses, if the transport has any."""


@dataclass(frozen=True)
class Folder:
    """A folder, for development: each mail is a file that mail programs open, with readable links."""

    path: Path

    async def send(self, message: EmailMessage) -> None:
        """Write a mail to a file, atomically and readable only by its owner.

        Raises:
            TemporaryFailure: the file cannot be written.

        """
        try:
            await asyncio.to_thread(self._write, _file_name(message), _readable(message))
        except OSError as error:
            raise TemporaryFailure(f"MAIL_FOLDER cannot be written: {error.strerror}") from None

    async def close(self) -> None:
        """Do nothing: a folder has no connections."""

    def _write(self, name: str, content: bytes) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=".", dir=self.path)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).rename(self.path / name)


def create_transport(settings: Settings) -> Transport:
    """Create the transport of the settings: SMTP, or in development without SMTP_HOST, a folder.

    Raises:
        SettingsError: neither is set, or the SMTP password would be sent unencrypted.

    """
    if settings.smtp_host:
        return _create_smtp(settings)
    if settings.mail_folder and settings.development:
        return Folder(settings.mail_folder)
    raise SettingsError("accounts: SMTP_HOST is not set, so mail cannot be sent")


def _create_smtp(settings: Settings) -> Smtp:
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


def _file_name(message: EmailMessage) -> str:
    """Return a unique name with the time, the kind and the recipient, which sorts by time."""
    mail_id = message["Message-ID"].strip("<>").partition("@")[0]
    description = UNSAFE.sub("_", f"{message[KIND_HEADER]}-{message['To'].addresses[0].addr_spec}".lower())
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{description[:NAME_LENGTH]}-{mail_id[-8:]}.eml"


def _readable(message: EmailMessage) -> bytes:
    readable = deepcopy(message)
    for part in readable.iter_parts():
        part.set_content(part.get_content(), subtype=part.get_content_subtype(), cte="8bit")
    utf8 = not message["To"].addresses[0].addr_spec.isascii()
    return readable.as_bytes(policy=policy.SMTPUTF8 if utf8 else policy.SMTP)
