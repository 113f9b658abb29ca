"""The shape of the import graph, beyond the contracts in ``pyproject.toml``."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

LONGEST_CHAIN = 5
REFUSALS = "accounts.domain.errors."  # a package that is used as one module
CLOCKS = (".now", ".today", ".utcnow", ".time", "monotonic", "perf_counter", "time_ns")
LOADED_WHEN_USED = {"segno", "alembic", "mako"}  # libraries of one feature, and those of commands


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("accounts", exclude_type_checking_imports=True)


def imports_within(package: str) -> dict[str, set[str]]:
    modules = {module for module in graph().modules if module.startswith(f"{package}.")}
    return {module: graph().find_modules_directly_imported_by(module) & modules for module in modules}


def test_modules_do_not_import_each_other_in_cycles() -> None:
    TopologicalSorter(imports_within("accounts")).prepare()  # raises CycleError, which names the cycle


def test_longest_import_chain_of_the_domain_has_at_most_five_modules() -> None:
    imports = {
        module: {each for each in used if not each.startswith(REFUSALS)}
        for module, used in imports_within("accounts.domain").items()
        if not module.startswith(REFUSALS)
    }
    chains: dict[str, list[str]] = {}
    for module in TopologicalSorter(imports).static_order():  # what a module imports comes before it
        chains[module] = [module, *max((chains[imported] for imported in imports[module]), key=len, default=[])]

    longest = max(chains.values(), key=len)
    assert len(longest) <= LONGEST_CHAIN, longest


@pytest.mark.slow
def test_modules_can_be_imported_without_settings() -> None:
    modules = [name for name in sorted(graph().modules) if not name.endswith((".env", ".__main__"))]
    program = f"import importlib\nfor name in {modules}: importlib.import_module(name)"

    result = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parent.parent, env={}, capture_output=True, check=False
    )

    assert result.stderr.decode() == ""


@pytest.mark.slow
def test_api_loads_libraries_of_one_feature_when_they_are_first_used() -> None:
    program = f"import sys, accounts.api.app; print({LOADED_WHEN_USED} & sys.modules.keys())"

    result = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parent.parent, env={}, capture_output=True, check=True
    )

    assert result.stdout == b"set()\n"


def test_no_module_reads_the_clock_when_it_is_imported() -> None:
    """Hours may pass until its functions run: in a server, and in a long run of tests."""
    root = Path(__file__).parent.parent
    files = [path for folder in ("accounts", "tests") for path in (root / folder).rglob("*.py")]

    assert [f"{path}:{line}" for path in files for line in clock_reads(ast.parse(path.read_text()))] == []


def clock_reads(tree: ast.AST) -> Iterator[int]:
    """Yield the lines that read the clock outside of functions. ``func.now()`` is SQL."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(CLOCKS) and "func." not in ast.unparse(node):
            yield node.lineno
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from clock_reads(node)
