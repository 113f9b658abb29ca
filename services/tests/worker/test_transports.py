"""Mail as files in a folder, and the choice of a transport."""

import stat
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

import pytest
from anyio import run
from pydantic import SecretStr

from accounts.models.mail import MailKind
from accounts.settings import Environment, Settings, SettingsError, get_settings
from accounts.worker.delivery_errors import TemporaryFailure
from accounts.worker.message import compose_message
from accounts.worker.smtp import Smtp
from accounts.worker.transports import Folder, create_transport
from mail_preview import LINK, SAMPLES


def letter(kind: MailKind = MailKind.VERIFY, to: str = "arthur@example.com", number: int = 1) -> EmailMessage:
    return compose_message(
        kind,
        to,
        {"name": "Árpád", **SAMPLES[kind]},
        language="de",
        sender="accounts@example.com",
        message_id=UUID(int=number),
        domain="example.com",
        service="Camelot",
    )


def put(folder: Path, message: EmailMessage) -> None:
    run(Folder(folder).send, message)


def test_mail_is_written_to_a_private_readable_file(tmp_path: Path) -> None:
    put(tmp_path / "mail" / "out", message := letter())

    [file] = (tmp_path / "mail" / "out").iterdir()
    content = file.read_bytes()
    opened = message_from_bytes(content, policy=policy.default)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert f"\r\n{LINK}\r\n".encode() in content
    assert "Guten Tag Árpád".encode() in content
    assert opened["Message-ID"] == message["Message-ID"]
    assert [each.get_content_type() for each in opened.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert b"quoted-printable" in message.as_bytes()  # which is another's, and stays as it was


def test_file_names_sort_by_time_and_name_kind_and_recipient(tmp_path: Path) -> None:
    for number, kind in enumerate(MailKind, 1):
        put(tmp_path, letter(kind, number=number))

    names = sorted(file.name for file in tmp_path.iterdir())
    assert [name.split("-")[1] for name in names] == list(MailKind)
    assert all(name.endswith(f"-arthur@example_com-{number:08x}.eml") for number, name in enumerate(names, 1))


@pytest.mark.parametrize("to", ["a/b/c@example.com", "jürgen@bücher.example", "x" * 60 + "@" + "y" * 60 + ".example"])
def test_recipient_cannot_choose_the_path(tmp_path: Path, to: str) -> None:
    put(tmp_path / "mail", letter(to=to))

    [file] = (tmp_path / "mail").iterdir()
    assert file.name.isascii()
    assert len(file.name) < 150
    assert [each.name for each in tmp_path.iterdir()] == ["mail"]


def test_non_ascii_recipient_is_readable(tmp_path: Path) -> None:
    put(tmp_path, letter(to="jürgen@example.com"))

    [file] = tmp_path.iterdir()
    assert "\r\nTo: jürgen@example.com\r\n".encode() in file.read_bytes()


def test_folder_that_cannot_be_written_is_a_temporary_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(TemporaryFailure) as error:
        put(tmp_path / "file", letter())

    assert error.value.reason == "MAIL_FOLDER cannot be written: File exists"


def settings(**values: object) -> Settings:
    return get_settings().model_copy(update=values)


def test_smtp_host_takes_precedence_over_the_folder(tmp_path: Path) -> None:
    server = {"smtp_host": "mail.example.com", "smtp_security": "tls", "smtp_port": 465}
    login = {"smtp_username": "worker", "smtp_password": SecretStr("swordfish")}

    assert create_transport(settings(**server, **login, mail_folder=tmp_path)) == Smtp(
        "mail.example.com", 465, security="tls", username="worker", password="swordfish"
    )
    assert create_transport(settings(mail_folder=tmp_path)) == Folder(tmp_path)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({}, "accounts: SMTP_HOST is not set, so mail cannot be sent"),
        (
            {"mail_folder": Path("mail"), "environment": Environment.PRODUCTION},
            "accounts: SMTP_HOST is not set, so mail cannot be sent",
        ),
        (
            {"smtp_host": "mail.example.com", "smtp_security": "none", "smtp_username": "worker"},
            "accounts: SMTP_USERNAME and SMTP_PASSWORD would be sent unencrypted: SMTP_SECURITY is none",
        ),
    ],
)
def test_invalid_mail_settings_are_reported_in_one_line(values: dict[str, object], line: str) -> None:
    with pytest.raises(SettingsError) as error:
        create_transport(settings(**values))

    assert error.value.code == line
