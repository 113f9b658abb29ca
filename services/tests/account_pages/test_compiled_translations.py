"""Constant texts of templates are translated when the template is compiled, with the result of the extension."""

import pytest

from accounts.translations import get_language
from accounts.translations.templates import create_environment

TEMPLATE = (
    '{% for name in names %}{{ _("Groups") }}, {{ _("Last active %(when)s", when=name) }}, {{ _(name) }};{% endfor %}'
)


def render(tag: str, *, autoescape: bool, template: str = TEMPLATE) -> str:
    environment = create_environment(("accounts.api.account_pages",), get_language(tag), autoescape=autoescape)
    return environment.from_string(template).render(names=["<b>", "Role"])


def test_texts_are_translated_and_values_are_escaped() -> None:
    assert render("de", autoescape=True) == (
        "Gruppen, Zuletzt aktiv &lt;b&gt;, <b>;Gruppen, Zuletzt aktiv Role, Rolle;"
    )


def test_values_of_plain_text_are_not_escaped() -> None:
    assert render("en", autoescape=False).startswith("Groups, Last active <b>, <b>;")


@pytest.mark.parametrize("autoescape", [True, False])
def test_percent_sign_is_written_twice(autoescape: bool) -> None:  # noqa: FBT001  # a parameter of the test
    assert render("en", autoescape=autoescape, template='{{ _("100%%") }}') == "100%"


def test_no_call_is_left_for_constant_texts() -> None:
    environment = create_environment(("accounts.api.account_pages",), get_language("de"), autoescape=True)

    code = environment.compile('{{ _("Groups") }}{{ _("Last active %(when)s", when=1) }}', raw=True)

    assert "Gruppen" in code
    assert "resolve('_')" not in code
