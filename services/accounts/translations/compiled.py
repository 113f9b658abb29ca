"""Translates the constant texts of templates while they are compiled, since each environment has one language.

At run time, a call of ``_`` in a loop copies the template's variables each time: half of the time of a long page.
"""

from typing import Any

from jinja2 import Environment, nodes
from jinja2.visitor import NodeTransformer

from accounts.translations import Language


class TranslatedEnvironment(Environment):
    """An environment that compiles ``_("Hello %(name)s", name=name)`` to the translation and its values.

    The result is the same as that of the extension ``i18n``, which translates all texts that are not constant.
    """

    def __init__(self, language: Language, **options: Any) -> None:
        """Create an environment with Jinja's ``options``."""
        super().__init__(**options)
        self.language = language

    def _generate(self, source: nodes.Template, *arguments: Any, **options: Any) -> str:  # Jinja's hook
        return super()._generate(_Translate(self).visit(source), *arguments, **options)


class _Translate(NodeTransformer):
    def __init__(self, environment: TranslatedEnvironment) -> None:
        self.environment = environment

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802  # by the name of the node
        """Translate a call of ``_`` with a constant text; keep other calls."""
        call = self.generic_visit(node)
        match call:
            case nodes.Call(node=nodes.Name(name="_"), args=[nodes.Const(value=str(message))], dyn_kwargs=None):
                return self._translated(message, call)
        return call

    def _translated(self, message: str, call: nodes.Call) -> nodes.Node:
        text: nodes.Expr = nodes.Const(self.environment.language.gettext(message))
        if self.environment.autoescape:
            text = nodes.MarkSafe(text)
        values = nodes.Dict([nodes.Pair(nodes.Const(each.key), each.value) for each in call.kwargs])
        # Without values, too: a translation is always a format.
        return nodes.Mod(text, values).set_environment(self.environment).set_lineno(call.lineno)
