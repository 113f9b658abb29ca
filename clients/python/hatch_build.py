"""Generates ``accounts_client.generated``, a typed client of every route, from ``openapi.json`` in each wheel.

The document is kept rather than 20 000 generated lines. ``make client`` updates it.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# CSV is a file for the generator. Without hooks, ruff's version does not change what is generated.
CONFIG = """\
content_type_overrides: {text/csv: application/octet-stream, application/jsonl: application/octet-stream}
post_hooks: []
"""


class GenerateApi(BuildHookInterface[Any]):
    """Adds the generated package to the wheel; to the source folder, where that is installed as editable."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generate the package before files are collected."""
        source, package = Path(self.root), "accounts_client/generated"
        if version == "editable":
            generate(source / "openapi.json", source / package)
            return
        self._folder = tempfile.TemporaryDirectory()
        generate(source / "openapi.json", Path(self._folder.name, "generated"))
        build_data["force_include"][str(Path(self._folder.name, "generated"))] = package

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Delete what was generated."""
        if version != "editable":
            self._folder.cleanup()


def generate(document: Path, folder: Path) -> None:
    """Write the package of an OpenAPI document into ``folder``. A warning of the generator is an error."""
    with tempfile.TemporaryDirectory() as configuration:
        config = Path(configuration, "config.yaml")
        config.write_text(CONFIG)
        command = [
            "generate",
            "--path",
            str(document),
            "--config",
            str(config),
            "--meta",
            "none",
            "--output-path",
            str(folder),
        ]
        subprocess.run(
            [sys.executable, "-m", "openapi_python_client", *command, "--overwrite", "--fail-on-warning"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    for module in folder.rglob("*.py"):  # one HTTP library is enough; both have the same interface
        module.write_text(module.read_text().replace("import httpx\n", "import httpx2 as httpx\n"))
