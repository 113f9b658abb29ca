"""The files that make mail writes."""

from pathlib import Path

from accounts.models.mail import MailKind
from accounts.translations import available_languages
from mail_preview import SAMPLES, write


def test_preview_has_every_letter_in_every_language_and_form(tmp_path: Path) -> None:
    page = write(tmp_path / "preview").read_text()

    assert SAMPLES.keys() == set(MailKind)
    for ending in ("txt", "html", "eml"):
        files = sorted(each.name for each in (tmp_path / "preview").glob(f"*-*.{ending}"))
        assert len(files) == len(MailKind) * len(available_languages())
        assert all(f'"{name}"' in page for name in files)
