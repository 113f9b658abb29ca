"""Checks the templates in TEMPLATES_DIR at the start, so that a mistake shows then, and not in the first letter."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import cast

from jinja2 import BaseLoader, Environment, TemplateSyntaxError, meta, nodes

from accounts.settings import SettingsError
from accounts.translations.templates import ORIGINAL

KINDS = ("pages", "mail")
LETTER = ".j2"  # a letter has variables of its own; our other templates share one set


class TemplateError(ValueError):
    """A template cannot be used. The message says where and why."""


def check_overrides(folder: Path | None, kind: str, environment: Environment) -> None:
    """Check the templates of a kind in TEMPLATES_DIR, ``folder``, with the environment that will render them.

    Raises:
        SettingsError: the folder is missing, or a template has an error. The message is one line.

    """
    if folder is None:
        return
    try:
        if not any((folder / each).is_dir() for each in KINDS):
            raise TemplateError("must be a folder with a folder pages or mail in it")  # noqa: TRY301
        _Overrides(folder / kind, environment).check()
    except TemplateError as error:
        raise SettingsError(f"accounts: TEMPLATES_DIR: {error}") from None


class _Overrides:
    def __init__(self, folder: Path, environment: Environment) -> None:
        self.folder = folder
        self.environment = environment
        files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith("."))
        self.given = {path.relative_to(folder).as_posix(): self._parse(path) for path in files}
        self.ours = {name.removeprefix(ORIGINAL): self._original(name) for name in self._names_of_ours()}

    def check(self) -> None:
        """Check names, references and variables of all templates in the folder."""
        used = {each for tree in self.given.values() for each in meta.find_referenced_templates(tree)} | {*self.ours}
        for name, tree in self.given.items():
            if name not in used:
                raise self._fault(name, "there is no such template to replace, and no other one uses it")
            for unknown in self._unknown_templates(tree):
                raise self._fault(name, f"there is no template {unknown}")
            for variable in sorted(meta.find_undeclared_variables(tree) - self._known(name)):
                raise self._fault(name, f"there is no variable {variable}")

    def _names_of_ours(self) -> list[str]:
        return [name for name in self.environment.list_templates() if name.startswith(ORIGINAL)]

    def _original(self, name: str) -> nodes.Template:
        source, _, _ = cast("BaseLoader", self.environment.loader).get_source(self.environment, name)
        return self.environment.parse(source)

    def _parse(self, path: Path) -> nodes.Template:
        name = path.relative_to(self.folder).as_posix()
        try:
            text = path.read_text(encoding="utf-8")
            self.environment.compile(text)  # which also finds unknown filters
            return self.environment.parse(text)
        except TemplateSyntaxError as error:
            raise self._fault(name, f"line {error.lineno}: {error.message}") from None
        except UnicodeDecodeError:
            raise self._fault(name, "is not UTF-8") from None
        except OSError as error:
            raise self._fault(name, str(error.strerror)) from None

    def _unknown_templates(self, tree: nodes.Template) -> Iterator[str]:
        ours = {*self.ours, *(f"{ORIGINAL}{name}" for name in self.ours)}
        yield from sorted({each for each in meta.find_referenced_templates(tree) if each} - ours - self.given.keys())

    def _known(self, name: str) -> set[str]:
        """Return what a template may use: variables that ours get, and macros."""
        return self._shared | (_names(self.ours[name]) if name in self.ours else set())

    @cached_property
    def _shared(self) -> set[str]:
        given = {macro.name for tree in self.given.values() for macro in tree.find_all(nodes.Macro)}
        return given.union(*(_names(tree) for own, tree in self.ours.items() if not own.endswith(LETTER)))

    def _fault(self, name: str, reason: str) -> TemplateError:
        return TemplateError(f"{self.folder.name}/{name}: {' '.join(reason.split())}")


def _names(tree: nodes.Template) -> set[str]:
    """Return the variables that a template uses, and its macros."""
    return meta.find_undeclared_variables(tree) | {macro.name for macro in tree.find_all(nodes.Macro)}
