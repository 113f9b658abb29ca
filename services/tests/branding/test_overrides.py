"""Templates in TEMPLATES_DIR are checked at the start: a mistake is one line."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import accounts
from accounts.api.account_pages import render
from accounts.settings import Settings, SettingsError, get_settings
from accounts.translations import get_language
from accounts.translations.templates import create_environment
from accounts.worker import rendering

OURS = {"pages": "api/account_pages/templates", "mail": "worker/templates"}
CHECKS: dict[str, Callable[[Settings], None]] = {"pages": render.check_templates, "mail": rendering.check_templates}


@dataclass
class Templates:
    """A folder of templates."""

    folder: Path

    def write(self, name: str, text: str | bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def check(self, kind: str) -> None:
        CHECKS[kind](get_settings().model_copy(update={"templates_dir": self.folder}))


@pytest.fixture
def templates(tmp_path: Path) -> Templates:
    return Templates(tmp_path / "templates")


@pytest.mark.parametrize("kind", OURS)
def test_copies_of_all_of_ours_are_accepted(templates: Templates, kind: str) -> None:
    shutil.copytree(Path(accounts.__file__).parent / OURS[kind], templates.folder / kind)

    templates.check(kind)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("pages/sign-in.html", "a\n{% endif %}", "pages/sign-in.html: line 2: Encountered unknown tag 'endif'."),
        ("pages/sign-in.html", "{{ service|shout }}", "pages/sign-in.html: line 1: No filter named 'shout'."),
        ("pages/sign-in.html", "{{ sevrice }}", "pages/sign-in.html: there is no variable sevrice"),
        ("pages/sign-in.html", '{% extends "bsae.html" %}', "pages/sign-in.html: there is no template bsae.html"),
        ("pages/sign-in.html", b"\xff", "pages/sign-in.html: is not UTF-8"),
        ("pages/singin.html", "", "pages/singin.html: there is no such template to replace, and no other one uses it"),
        ("mail/verify.j2", "{{ inviter_name }}", "mail/verify.j2: there is no variable inviter_name"),
        ("mail/verify.html", "", "mail/verify.html: there is no such template to replace, and no other one uses it"),
    ],
)  # fmt: skip
def test_error_in_a_template_is_one_line(templates: Templates, name: str, text: str | bytes, message: str) -> None:
    templates.write(name, text)

    with pytest.raises(SettingsError) as error:
        templates.check(name.partition("/")[0])

    assert error.value.code == f"accounts: TEMPLATES_DIR: {message}"


def test_file_that_cannot_be_read_is_one_line(templates: Templates, monkeypatch: pytest.MonkeyPatch) -> None:
    templates.write("pages/sign-in.html", "")

    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(SettingsError, match=r"^accounts: TEMPLATES_DIR: pages/sign-in\.html: Permission denied$"):
        templates.check("pages")


def test_folder_without_templates_is_refused(templates: Templates) -> None:
    with pytest.raises(SettingsError, match="TEMPLATES_DIR: must be a folder with a folder pages or mail in it"):
        templates.check("pages")


@pytest.mark.parametrize("kind", OURS)
def test_parts_of_ones_own_macros_and_hidden_files_are_accepted(templates: Templates, kind: str) -> None:
    page = {"pages": "result.html", "mail": "verify.j2"}[kind]
    templates.write("pages/.DS_Store", b"\xff")
    templates.write(f"{kind}/own/part.html", "{% macro shout(text) %}{{ text|upper }}{% endmacro %}{{ service }}")
    templates.write(
        f"{kind}/{page}", '{% include "own/part.html" %}{% from "own/part.html" import shout %}{{ shout(service) }}'
    )

    templates.check(kind)


def test_template_can_extend_the_one_that_it_replaces(templates: Templates) -> None:
    templates.write("pages/base.html", '{% extends "original/base.html" %}')

    templates.check("pages")


def test_template_stays_as_it_was_at_the_start(templates: Templates) -> None:
    templates.write("pages/result.html", "checked")
    folder = templates.folder / "pages"
    first = create_environment(render.PACKAGES, get_language("en"), autoescape=True, overrides=folder)
    assert first.get_template("result.html").render() == "checked"

    templates.write("pages/result.html", "{{ not.checked }}")

    another = create_environment(render.PACKAGES, get_language("de"), autoescape=True, overrides=folder)
    for environment in (first, another):
        assert environment.get_template("result.html").render() == "checked"
