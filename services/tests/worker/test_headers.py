"""Headers with text from users or operators are what RFC 5322 and RFC 2047 allow, read by a reader of its own."""

import random
from email import policy
from email.message import EmailMessage
from uuid import UUID

import pytest

from accounts.models.mail import MailKind
from accounts.translations import available_languages
from accounts.worker.display import one_line
from accounts.worker.headers import POLICY
from accounts.worker.message import compose_message
from mail_preview import SAMPLES
from support.mail_headers import Mailbox, read_headers, read_mailbox, read_text

FAMILY = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}"
PIECES = [
    *(
        "a",
        "Chess",
        "Fußball-Verein",
        "Grün-Weiß",
        "„Köln“",
        "Škoda",
        "ж",
        "шахматы",
        "将棋",
        "\N{GRINNING FACE}",
        FAMILY,
    ),
    *(" ", "  ", ", ", ",", "; ", ":", '"', "\\", "'", "(", ")", "<", ">", "@", ".", "_", "?", "=", "=?", "?="),
    *("=?utf-8?q?a?=", "=?iso-8859-1?b?5A==?=", "x" * 30, "e\u0301", "\u05d0", "\u06cc\u200c", "&amp;", "%s", "~"),
]
LONG = {
    "german": "Fußball-Verein Grün-Weiß „Köln“ 1. Mannschaft " * 2,
    "ascii": "The knights, of the round table " * 3,
    "no blanks": "x" * 100,
    "emoji": FAMILY * 20,
    "quotes": '"Round" \\ "Table", ' * 5,
    "encoded word": "=?utf-8?q?x=0D=0ABcc:_a=40example.com?=",
    "cyrillic": "ж" * 100,
    "blanks": "a  b   c    ü  d  " * 5,
}
DOMAINS = ("localhost", "camelot.example.com", "xn--bcher-kva.example", f"{'x' * 60}.{'y' * 60}.example")


def names(count: int) -> list[str]:
    """Names of up to 100 characters, the same ones in each run."""
    chosen = random.Random(2047)  # noqa: S311  # not for security
    drawn = ("".join(chosen.choices(PIECES, k=chosen.randint(1, 40)))[: chosen.randint(1, 100)] for _ in range(count))
    return [name for name in map(one_line, drawn) if name]


def written(name: str, value: str) -> str:
    """Return a header as it is sent, and require the same whatever is sent with it."""
    message = EmailMessage(POLICY)
    message[name] = value
    sent = message.as_bytes(policy=policy.SMTP)
    assert sent == message.as_bytes(policy=policy.SMTPUTF8)
    return read_headers(sent)[name]


def quoted(name: str) -> str:
    return '"' + name.replace("\\", r"\\").replace('"', r"\"") + '"'


def test_subject_is_valid_whatever_the_names_are() -> None:
    for name in names(2000):
        assert read_text(written("Subject", name)) == name


def test_sender_is_valid_whatever_its_name_is() -> None:
    for name in names(1000):
        if "=?" not in name:  # in MAIL_FROM it begins an encoded word, which is decoded
            assert read_mailbox(written("From", f"{quoted(name)} <a@example.com>")) == (name, "a@example.com")


@pytest.mark.parametrize("name", ["Round, Table, " * 10 + "Camelot", "Camelot", "a.b", "Röund, Table", 'the "Table"'])
@pytest.mark.parametrize("domain", DOMAINS)
def test_name_of_the_sender_keeps_its_quotes(name: str, domain: str) -> None:
    sent = written("From", f"{quoted(name)} <accounts@{domain}>")

    assert read_mailbox(sent) == Mailbox(name, f"accounts@{domain}")


@pytest.mark.parametrize("name", LONG.values(), ids=LONG)
@pytest.mark.parametrize("language", sorted(available_languages()))
def test_headers_of_every_letter_are_valid(language: str, name: str) -> None:
    for kind in MailKind:
        for domain in DOMAINS:
            text = {field: name for field, value in SAMPLES[kind].items() if _is_user_text(field, value)}
            message = compose_message(
                kind,
                f"arthur@{'bücher.example' if 'xn--' in domain else 'example.com'}",
                {**SAMPLES[kind], **text, "name": name},
                language=language,
                sender=f"{quoted(name.replace('=?', ''))} <accounts@{domain}>",
                message_id=UUID(int=1),
                domain=domain,
                service=name,
            )
            headers = read_headers(message.as_bytes(policy=policy.SMTP))

            assert read_text(headers["Subject"]) == message["Subject"]
            assert read_mailbox(headers["From"]).email == f"accounts@{domain}"
            assert read_mailbox(headers["To"]).email.isascii()
            assert headers["Message-ID"] == f"<{UUID(int=1)}@{domain}>"
            assert {"Date", "Auto-Submitted", "MIME-Version"} <= headers.keys()


def _is_user_text(field: str, value: object) -> bool:
    return isinstance(value, str) and not field.endswith("url") and field not in {"role", "was", "change"}
