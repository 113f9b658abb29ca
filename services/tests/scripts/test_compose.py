"""compose.yaml: what stays up has a health check, and copies of the project share nothing."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.project import ROOT

SECRETS = {"POSTGRES_PASSWORD": "-", "POSTGRES_API_PASSWORD": "-", "SECRET_KEY": "-"}


def config(folder: Path, **variables: str) -> dict[str, Any]:
    """Return what Compose makes of compose.yaml in ``folder``."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")
    shutil.copy(ROOT / "compose.yaml", folder)
    (folder / "services").mkdir(exist_ok=True)
    command = [docker, "compose", "config", "--format", "json"]
    environment = SECRETS | {"HOME": str(folder)} | variables
    printed = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    read: dict[str, Any] = json.loads(printed.stdout)
    return read


@pytest.mark.slow
def test_every_service_that_stays_up_has_a_health_check(tmp_path: Path) -> None:
    services = config(tmp_path)["services"]

    lasting = {name for name, service in services.items() if service.get("restart") == "unless-stopped"}
    assert {"db", "api", "worker"} <= lasting
    assert {name for name in lasting if "healthcheck" not in services[name]} == set()


@pytest.mark.slow
def test_containers_volumes_networks_and_images_of_two_copies_are_apart(tmp_path: Path) -> None:
    def names(project: str) -> set[str]:
        read = config(tmp_path, COMPOSE_PROJECT_NAME=project)
        kinds = [each["name"] for kind in ("volumes", "networks") for each in read[kind].values()]
        images = [service["image"] for service in read["services"].values() if "postgres" not in service["image"]]
        return {read["name"], *kinds, *images}

    assert not names("accounts-1") & names("accounts-2")


@pytest.mark.slow
def test_installation_from_before_keeps_its_project(tmp_path: Path) -> None:
    read = config(tmp_path)

    assert read["name"] == "accounts"
    assert read["volumes"]["data"]["name"] == "accounts_data"
    assert read["services"]["api"]["image"] == "accounts:dev"


@pytest.mark.slow
def test_only_the_api_gets_the_variables_of_providers(tmp_path: Path) -> None:
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "providers.env").write_text("OIDC_GOOGLE_CLIENT_SECRET='a $b \"c\"'\n")

    services = config(tmp_path, OIDC_PROVIDERS="google")["services"]

    assert services["api"]["environment"]["OIDC_PROVIDERS"] == "google"
    value = services["api"]["environment"]["OIDC_GOOGLE_CLIENT_SECRET"]
    assert value.replace("$$", "$") == 'a $b "c"'  # config escapes it
    assert [name for name, each in services.items() if "CLIENT_SECRET" in str(each.get("environment"))] == ["api"]
