"""What make check finds in the Kubernetes manifests."""

from subprocess import CalledProcessError
from typing import Any

import pytest

import lint_kubernetes
from support.kubernetes import find, rendered

pytestmark = pytest.mark.slow


def change(manifest: Any, path: str, value: Any) -> None:
    """Set a field; the path has its keys and indexes."""
    *parents, last = [int(part) if part.isdecimal() else part for part in path.split("/")]
    for part in parents:
        manifest = manifest[part]
    manifest[last] = value


@pytest.mark.parametrize("overlay", lint_kubernetes.OVERLAYS)
def test_overlay_is_valid(overlay: str) -> None:
    assert lint_kubernetes.problems(rendered(overlay)) == []


API = "spec/template/spec/containers/0"


@pytest.mark.parametrize(
    ("kind", "name", "path", "value", "message"),
    [
        ("Deployment", "api", f"{API}/readinesProbe", {}, "'readinesProbe' was unexpected"),
        ("Deployment", "api", f"{API}/ports/0/containerPort", "http", "'http' is not of type 'integer'"),
        ("Deployment", "api", "apiVersion", "apps/v1beta1", "apps/v1beta1 has no such kind"),
        ("Deployment", "api", f"{API}/readinessProbe/httpGet/port", "web", "api: no port web"),
        ("Deployment", "api", f"{API}/volumeMounts/0/name", "temp", "api: no volume temp"),
        (
            "Deployment",
            "api",
            f"{API}/envFrom/0/configMapRef/name",
            "setting",
            "api: no ConfigMap ('ConfigMap', 'setting')",
        ),
        ("HorizontalPodAutoscaler", "api", "spec/scaleTargetRef/name", "apis", "no Deployment apis"),
        ("Service", "api", "spec/selector", {"app": "api"}, "no pod has the labels"),
        (
            "PodDisruptionBudget",
            "api",
            "spec/selector/matchLabels",
            {"app": "api"},
            "no pod has the labels {'app': 'api'}",
        ),
        ("NetworkPolicy", "worker", "spec/podSelector/matchLabels", {"app": "worker"}, "no pod has the labels"),
        (
            "NetworkPolicy",
            "pooler",
            "spec/podSelector/matchLabels",
            {"cnpg.io/poolerName": "rw"},
            "no pod has the labels",
        ),
        ("PodMonitor", "database", "spec/selector/matchLabels", {"cnpg.io/cluster": "db"}, "no pod has the labels"),
        ("Cluster", "database", "spec/instance", 3, "'instance' was unexpected"),
        ("Cluster", "database", "spec/postgresql/synchronous/dataDurability", "always", "'always' is not one of"),
        ("Cluster", "database", "spec/postgresql/parameters/max_connections", 100, "100 is not of type 'string'"),
        ("Cluster", "database", "apiVersion", "postgresql.cnpg.io/v2", "postgresql.cnpg.io/v2 has no such kind"),
        ("Pooler", "pooler", "spec/pgbouncer/parameters/connect_query", "SET x = 1", "'connect_query' is not one of"),
        ("ScheduledBackup", "nightly", "spec/schedule", "30 2 * * *", "'30 2 * * *' does not match"),
        ("ObjectStore", "backups", "spec/configuration/destination", "s3://a/", "'destination' was unexpected"),
        ("PodMonitor", "accounts", "spec/podMetricsEndpoints/0/ports", "metrics", "'ports' was unexpected"),
    ],
)
def test_mistake_is_found(kind: str, name: str, path: str, value: Any, message: str) -> None:
    objects = rendered("production")
    change(find(objects, kind, name), path, value)

    (problem,) = lint_kubernetes.problems(objects)
    assert problem.startswith(f"{kind} {name}: ")
    assert message in problem


def test_folder_that_kustomize_refuses_fails_the_check(tmp_path: Any, monkeypatch: Any, capsys: Any) -> None:
    (tmp_path / "trial").mkdir()
    (tmp_path / "trial" / "kustomization.yaml").write_text("resources: [absent.yaml]\n")
    monkeypatch.setattr(lint_kubernetes, "FOLDER", tmp_path)
    monkeypatch.setattr(lint_kubernetes, "OVERLAYS", ("trial",))

    with pytest.raises(CalledProcessError):
        lint_kubernetes.render(tmp_path / "trial")
    assert lint_kubernetes.main() == 1
    assert "absent.yaml" in capsys.readouterr().out
