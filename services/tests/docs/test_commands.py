"""The commands that the documentation shows, run on a native stack: their output is as shown."""

import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.processes import free_port
from support.project import ROOT, Project, blocks

DONE = "--- done"
# Patterns of values that differ at each run.
VARYING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # a UUID
    r"|\d{4}-\d\d-\d\dT[\d:.]+Z|\d{8}T\d+(?:\.\d+)?Z"  # a time
    r"|(?<=token=)\S+|(?<=-)[0-9a-f]{8}(?=\.eml)"
)
PREPARE = """
make() { scripts/native "$@"; }
serve() {
    "$@" >>services.log 2>&1 &
    trap 'kill $(jobs -p)' EXIT
    for try in $(seq 100); do curl -so /dev/null "localhost:${!#}" && break; sleep 0.1; done
}
latest() { for try in $(seq 100); do ls .local/mail/*"$1"* >/dev/null 2>&1 && break; sleep 0.1; done; }
"""


class Shell:
    """A native stack, and a shell beside it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.port = str(free_port())

    def native(self, verb: str) -> None:
        self.project.run("scripts/native", verb, folder=".", API_PORT=self.port, YES="1")

    def outputs(self, commands: list[str]) -> list[str]:
        """Run commands one after the other, and return what each of them printed."""
        script = "\n".join([PREPARE, f"echo '{DONE}'", *(f"{each}\necho\necho '{DONE}'" for each in commands)])
        script = script.replace("localhost:8000", f"localhost:{self.port}")
        printed = self.project.run("bash", "-c", script, folder=".", API_PORT=self.port)
        return printed.replace(f"{self.project.root}/", "").split(DONE)[1:-1]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    shell = Shell(Project(tmp_path_factory.mktemp("docs") / "copy"))
    shell.project.run("python3", "scripts/environment.py", folder=".")
    try:
        shell.native("up")
        shell.native("seed")
        yield shell
    finally:
        shell.native("clean")


def dialogue(page: str, section: str) -> list[tuple[str, list[str]]]:
    """Return the commands of a section's console blocks, each with the lines that it prints."""
    steps: list[tuple[str, list[str]]] = []
    for block in blocks(ROOT / page, section):
        if block.language != "console":
            continue
        for line in block.text.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            elif steps[-1][0].endswith("\\"):
                steps[-1] = (f"{steps[-1][0]}\n{line}", [])
            else:
                steps[-1][1].append(line)
    return steps


def normal(line: str) -> str:
    return VARYING.sub("…", line.strip())


def check(shell: Shell, steps: list[tuple[str, list[str]]]) -> None:
    """Run commands, and compare each line that the documentation shows, up to an ellipsis."""
    outputs = shell.outputs([command for command, _ in steps])
    for (command, shown), output in zip(steps, outputs, strict=True):
        printed = [normal(line) for line in output.splitlines()]
        for line in map(normal, shown):
            start, ellipsis, _ = line.partition("...")
            same = str.startswith if ellipsis else str.__eq__
            assert any(same(each, start) for each in printed), f"{command}\nprints\n{output}\nand not\n{line}"


@pytest.mark.slow
def test_quick_start_and_sign_in_work_as_the_readme_says(shell: Shell) -> None:
    check(shell, dialogue("README.md", "Quick start") + dialogue("README.md", "Sign in and protect a route"))


@pytest.mark.slow
def test_invitation_walk_works_as_the_page_says(shell: Shell) -> None:
    sign_in = dialogue("README.md", "Sign in and protect a route")[:1]
    steps = dialogue("docs/groups.md", "Create a group") + dialogue("docs/groups.md", "Invitations")
    (token,) = {line.removeprefix("token=") for _, shown in steps for line in shown if line.startswith("token=")}
    mailed = "'\"$(grep -oh 'token=.*' .local/mail/*invitation-elaine* | head -n 1 | cut -c 7- | tr -d '\\r')\"'"
    steps = [(command.replace(token, mailed), shown) for command, shown in steps]
    steps = [
        (f"latest invitation-elaine\n{command}" if command == "make mails" else command, shown)
        for command, shown in steps
    ]

    check(shell, sign_in + steps)


@pytest.mark.slow
def test_members_are_imported_and_exported_as_the_page_says(shell: Shell) -> None:
    steps = dialogue("docs/members-in-bulk.md", "Import") + dialogue("docs/members-in-bulk.md", "Export")
    csv = "\n".join(dict(steps)["cat knights.csv"])
    (shell.project.root / "knights.csv").write_text(f"{csv}\n")

    check(shell, steps)


@pytest.mark.slow
def test_service_account_gets_a_token_as_the_page_says(shell: Shell) -> None:
    check(shell, dialogue("docs/service-accounts.md", "Walk"))


SERVICES = ("A second service", "Groups, and users who have signed out")


def install_client(project: Project) -> None:
    """Do what the page's commands do, with the dependencies of this environment."""
    folder = project.root / ".local" / "second"
    project.python("-m", "venv", "--without-pip", str(folder))
    client = str(project.root / "clients" / "python")
    project.run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), folder=client)
    (wheel,) = folder.glob("*.whl")
    python = folder / "bin" / "python"
    project.python("-m", "pip", "--python", str(python), "install", "--no-index", "--no-deps", "-q", str(wheel))
    purelib = project.run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(purelib, "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    uvicorn = folder / "bin" / "uvicorn"
    uvicorn.write_text(f'#!/bin/sh\nexec {python} -m uvicorn "$@"\n')
    uvicorn.chmod(0o755)


def modules(page: str) -> dict[str, str]:
    """Return the files that a page asks its reader to save."""
    text = (ROOT / page).read_text()
    return dict(re.findall(r"Save this as `(\w+\.py)`:\n\n```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))


@pytest.mark.slow
def test_second_service_works_as_the_page_says(shell: Shell) -> None:
    page = "docs/services.md"
    install_client(shell.project)
    for name, text in modules(page).items():
        (shell.project.root / name).write_text(text.replace("localhost:8000", f"localhost:{shell.port}"))
    ports = {port: str(free_port()) for port in ("9000", "9001")}
    steps = [step for section in SERVICES for step in dialogue(page, section)]
    for port, free in ports.items():
        steps = [(command.replace(port, free), shown) for command, shown in steps]
    steps = [(re.sub(r"(?s)^(.*uvicorn .*) &$", r"serve \1", command), shown) for command, shown in steps]

    check(shell, steps)
