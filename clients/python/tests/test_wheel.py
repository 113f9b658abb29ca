"""The wheel: built twice, installed into a fresh environment, used."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
SOURCE = Path(__file__).parents[1]
USE = """
import asyncio, importlib.resources
import accounts_client, accounts_client.fastapi
from accounts_client.generated import AuthenticatedClient
from accounts_client.generated.api.users import read_me
assert importlib.resources.files(accounts_client).joinpath("py.typed").is_file()
assert "site-packages" in accounts_client.__file__
accounts_client.fastapi.Accounts(accounts_client.Verifier("http://127.0.0.1:9"))
async def call():
    client = AuthenticatedClient("http://127.0.0.1:9", "token")
    try:
        await read_me.asyncio(client=client)
    except Exception as error:
        print(type(error).__module__, type(error).__name__)
asyncio.run(call())
"""


def run(*command: str | Path, cwd: Path = SOURCE) -> str:
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def build(folder: Path) -> Path:
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_wheel_is_reproducible_and_works_in_a_fresh_environment(tmp_path: Path) -> None:
    wheel = build(tmp_path / "first")
    assert wheel.read_bytes() == build(tmp_path / "second").read_bytes()
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"

    run(python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", wheel)
    # The dependencies are those of this environment.
    packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))

    assert run(python, "-W", "error", "-c", USE, cwd=tmp_path) == "httpx2 ConnectError\n"
