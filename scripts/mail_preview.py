"""Writes every letter in every language as files to look at: ``make mail``."""

import html
import shutil
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email import policy
from pathlib import Path
from typing import Any
from uuid import UUID

from accounts.models.mail import MailKind
from accounts.translations import available_languages
from accounts.worker.message import compose_message
from environment import ROOT

FOLDER = ROOT / ".local" / "mail-preview"
AT = datetime(2026, 11, 26, 18, 11, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
SITE = "https://accounts.example.com"
LINK = f"{SITE}/verify?token=vAM_fFojyBUjZH0TLMLR39p3ex1FOIu4sEYH9JwQx1Q"
RESET = f"{SITE}/forgot-password"
FIREFOX = "Firefox on Linux"
NOTE = "There is a seat left at the table.\n\nBring your own sword; more on www.camelot.example.com."

SAMPLES: Mapping[MailKind, Mapping[str, Any]] = {
    MailKind.SIGN_UP: {"url": LINK, "expires_at": LATER},
    MailKind.VERIFY: {"url": LINK, "expires_at": LATER},
    MailKind.RESET: {
        "url": LINK,
        "expires_at": LATER,
        "email_restored": False,
        "first_password": False,
        "password_required": False,
    },
    MailKind.SIGN_IN_CODE: {
        "at": AT,
        "code": "WDJB-MJHT",
        "expires_at": AT + timedelta(minutes=10),
        "site": "accounts.example.com",
        "device": FIREFOX,
        "address": "203.0.113.7",
    },
    MailKind.CONFIRM_EMAIL: {"url": LINK, "expires_at": LATER},
    MailKind.EMAIL_CHANGED: {"new_email_hint": "g…@example.com", "at": AT, "url": LINK, "expires_at": LATER},
    MailKind.ACCOUNT_EXISTS: {"at": AT, "sign_in_url": f"{SITE}/sign-in", "reset_url": RESET, "previous": False},
    MailKind.INVITATION: {
        "group_name": "Round Table",
        "inviter_name": "Guinevere",
        "role": "member",
        "note": NOTE,
        "url": LINK,
        "expires_at": AT + timedelta(days=7),
    },
    MailKind.NEW_SIGN_IN: {
        "at": AT,
        "device": FIREFOX,
        "address": "203.0.113.7",
        "more": 2,
        "sessions_url": f"{SITE}/sessions",
        "reset_url": RESET,
    },
    MailKind.PASSWORD_CHANGED: {"at": AT, "reset_url": RESET},
    MailKind.ROLE_CHANGED: {
        "group_name": "Round Table",
        "role": "admin",
        "was": "member",
        "at": AT,
        "url": SITE,
    },
    MailKind.SUPERUSER_CHANGED: {"is_superuser": True, "at": AT},
    MailKind.SECURITY_CHANGED: {
        "at": AT,
        "change": "totp_added",
        "factor_name": "",
        "address": "203.0.113.7",
        "more": 0,
        "reset_url": RESET,
    },
    MailKind.TOKEN_CREATED: {
        "at": AT,
        "key_name": "nightly report",
        "address": "203.0.113.7",
        "more": 2,
        "reset_url": RESET,
    },
    MailKind.TOKEN_EXPIRES: {"key_name": "nightly report", "expires_at": AT + timedelta(days=7), "more": 2},
}


def write(folder: Path) -> Path:
    """Write all letters, and a page that shows them, into a new folder; return the page."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    page = folder / "index.html"
    page.write_text(_page(list(_letters(folder))), encoding="utf-8")
    return page


def _letters(folder: Path) -> Iterator[tuple[str, str]]:
    for language in sorted(available_languages()):
        for number, (kind, values) in enumerate(SAMPLES.items(), 1):
            message = compose_message(
                kind,
                "arthur@example.com",
                {"name": "Arthur Pendragon", **values},
                language=language,
                sender="accounts <accounts@example.com>",
                message_id=UUID(int=number),
                domain="accounts.example.com",
                service="Camelot",
            )
            name = f"{language}-{number:02}-{kind}"
            text, marked_up = (part.get_content() for part in message.iter_parts())
            (folder / f"{name}.txt").write_text(text, encoding="utf-8")
            (folder / f"{name}.html").write_text(marked_up, encoding="utf-8")
            (folder / f"{name}.eml").write_bytes(message.as_bytes(policy=policy.SMTP))
            yield name, message["Subject"]


def _page(letters: list[tuple[str, str]]) -> str:
    items = "\n".join(
        f'<h2 id="{name}">{html.escape(subject)}</h2>\n<p>{name}: <a href="{name}.html">HTML</a>,'
        f' <a href="{name}.txt">text</a>, <a href="{name}.eml">message</a></p>\n'
        f'<iframe src="{name}.html" loading="lazy" title="HTML"></iframe>'
        f'<iframe src="{name}.txt" loading="lazy" title="Text"></iframe>'
        for name, subject in letters
    )
    style = ":root { color-scheme: light dark; font-family: sans-serif } iframe { width: 48%; height: 36rem }"
    head = f'<meta charset="utf-8"><title>Mail</title><style>{style}</style>'
    return f'<!doctype html>\n<html lang="en">{head}\n{items}\n</html>\n'


if __name__ == "__main__":
    print(f"Every mail in every language: {write(Path(sys.argv[1]) if sys.argv[1:] else FOLDER)}")
