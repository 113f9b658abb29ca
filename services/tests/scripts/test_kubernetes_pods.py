"""The pods of deploy/kubernetes agree with the application, its image and compose.yaml."""

import re
from pathlib import Path

import pytest
import yaml

from accounts import settings
from accounts.api.routes import health
from accounts.settings import Settings, get_settings
from accounts.worker.transports import create_transport
from lint_kubernetes import OVERLAYS, probes, problems
from support.certificates import authority
from support.kubernetes import Manifest, containers, environment, find, pod, rendered
from support.project import ROOT, blocks

pytestmark = pytest.mark.slow
DOCKERFILE = (ROOT / "services" / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
DEPLOYMENTS = ("api", "worker")
SECRETS = {
    "accounts": {"secret_key": "k" * 43, "postgres_api_password": "of the API", "smtp_password": "of SMTP"},
    "database-app": {"username": "accounts", "password": "of the owner"},
}

every_pod = pytest.mark.parametrize(
    ("overlay", "name"), [(overlay, name) for overlay in OVERLAYS for name in DEPLOYMENTS]
)


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


def mount_secrets(spec: Manifest, folder: Path) -> None:
    """Write the files of a pod's /run/secrets as Kubernetes does: links into a folder that it replaces as a whole."""
    data = folder / "..2026_12_01"
    data.mkdir()
    (folder / "..data").symlink_to(data.name)
    (volume,) = (each for each in spec["volumes"] if each["name"] == "secrets")
    for source in (each["secret"] for each in volume["projected"]["sources"]):
        values = SECRETS[source["name"]]
        for item in source.get("items") or [{"key": key, "path": key} for key in values]:
            (data / item["path"]).write_text(values[item["key"]])
            link = folder / item["path"]
            link.unlink(missing_ok=True)
            link.symlink_to(f"..data/{item['path']}")


@every_pod
def test_pod_has_the_rights_of_compose_and_no_others(overlay: str, name: str) -> None:
    spec = pod(overlay, name)
    (user, group) = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)[0]

    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": int(user),
        "runAsGroup": int(group),
        "fsGroup": int(group),
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    for container in containers(spec):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]


@every_pod
def test_every_variable_is_a_setting(overlay: str, name: str) -> None:
    for container in containers(pod(overlay, name)):
        variables = {variable.lower() for variable in environment(overlay, container)}
        assert variables - Settings.model_fields.keys() == set()


@every_pod
def test_process_accepts_its_settings_and_connects_as_its_role(
    overlay: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = pod(overlay, name)
    mount_secrets(spec, tmp_path)
    monkeypatch.setattr(settings, "SECRETS_DIRECTORY", tmp_path)
    for variable in Settings.model_fields:
        monkeypatch.delenv(variable.upper(), raising=False)
    (container,) = spec["containers"]
    (ca,) = (f"{it['mountPath']}/ca.crt" for it in container["volumeMounts"] if it["name"] == "database-ca")
    for variable, value in environment(overlay, container).items():
        monkeypatch.setenv(variable, value.replace(f"sslrootcert={ca}", f"sslrootcert={tmp_path}/ca.crt"))
    (tmp_path / "ca.crt").write_bytes(authority().certificate)
    get_settings.cache_clear()

    read = get_settings()

    expected = ("accounts_api", "of the API") if name == "api" else ("accounts", "of the owner")
    assert (read.database.user, read.database.password) == expected
    assert read.development == (overlay == "trial")
    create_transport(read)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_ports_are_those_of_the_image_and_the_settings(overlay: str) -> None:
    image = int(re.findall(r"API_PORT=(\d+)", DOCKERFILE)[0])
    for name in DEPLOYMENTS:
        (container,) = pod(overlay, name)["containers"]
        metrics = int(environment(overlay, container)["METRICS_PORT"])
        expected = {"metrics": metrics} | ({"http": image} if name == "api" else {})
        assert {port["name"]: port["containerPort"] for port in container["ports"]} == expected

    (service,) = find(rendered(overlay), "Service", "api")["spec"]["ports"]
    assert service["targetPort"] == "http"


def test_network_lets_pass_what_the_processes_need() -> None:
    policies = {
        name: find(rendered("production"), "NetworkPolicy", name)["spec"] for name in ("api", "metrics", "worker")
    }
    (worker,) = pod("production", "worker")["containers"]
    smtp = environment("production", worker).get("SMTP_PORT", Settings.model_fields["smtp_port"].default)
    (http, _) = pod("production", "api")["containers"][0]["ports"]

    assert policies["api"]["ingress"][0]["ports"] == [{"port": http["containerPort"]}]
    assert policies["metrics"]["ingress"][0]["ports"] == [{"port": "metrics"}]
    assert {"ports": [{"port": int(smtp)}]} in policies["worker"]["egress"]


def test_ingress_of_the_page_is_valid_and_reaches_the_api() -> None:
    ingress = yaml.safe_load(
        next(block.text for block in blocks(ROOT / "docs" / "kubernetes.md") if block.language == "yaml")
    )
    (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
    service = find(rendered("production"), "Service", path["backend"]["service"]["name"])

    assert problems([ingress]) == []
    assert ingress["metadata"]["namespace"] == service["metadata"]["namespace"]
    assert path["backend"]["service"]["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}


def test_probes_of_the_api_are_its_routes() -> None:
    (container,) = pod("production", "api")["containers"]
    paths = [probe["httpGet"]["path"] for probe in probes(container)]

    assert set(paths) <= {getattr(route, "path", "") for route in health.router.routes}
    # A new pod waits for its schema. A pod that serves keeps serving when the schema is ahead.
    assert paths == ["/health/ready", "/health/live", "/health/live"]


def test_worker_runs_and_is_probed_as_in_compose() -> None:
    spec = pod("production", "worker")
    (migrate, worker) = containers(spec)

    assert migrate["command"] == COMPOSE["migrate"]["command"]
    assert worker["command"] == COMPOSE["worker"]["command"]
    (_, test) = COMPOSE["worker"]["healthcheck"]["test"]
    assert [probe["exec"]["command"][-1] for probe in probes(worker)] == [test.replace("$$", "$")] * 2
    assert spec["terminationGracePeriodSeconds"] >= seconds(COMPOSE["worker"]["stop_grace_period"])


def test_api_has_time_to_finish_its_requests() -> None:
    spec = pod("production", "api")
    before = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    gunicorn = (ROOT / "services" / "gunicorn.conf.py").read_text()
    graceful = int(re.findall(r"^graceful_timeout = (\d+)$", gunicorn, re.MULTILINE)[0])

    assert spec["terminationGracePeriodSeconds"] - before > graceful
