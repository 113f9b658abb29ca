"""The database and the pooler of deploy/kubernetes fit the processes that connect to them."""

from typing import Any

import pytest

from accounts.db.connect import KEEPALIVES
from accounts.db.engine import SERVER_SETTINGS
from accounts.migrations import roles
from accounts.settings import Settings
from support.kubernetes import containers, environment, find, pod, rendered

pytestmark = pytest.mark.slow
# PgBouncer keeps these for each client itself.
TRACKED = {"timezone"}


def test_restored_database_archives_apart_from_the_lost_one() -> None:
    spec = find(rendered("restore"), "Cluster", "database")["spec"]
    (lost,), (own,) = spec["externalClusters"], spec["plugins"]

    assert list(spec["bootstrap"]) == ["recovery"]
    assert spec["bootstrap"]["recovery"]["source"] == lost["name"]
    assert lost["plugin"]["parameters"]["barmanObjectName"] == own["parameters"]["barmanObjectName"]
    assert lost["plugin"]["parameters"]["serverName"] != own["parameters"]["serverName"]


def test_all_processes_get_connections() -> None:
    objects = rendered("production")
    pooler = find(objects, "Pooler", "pooler")["spec"]
    parameters = pooler["pgbouncer"]["parameters"]
    defaults = {name: Settings.model_fields[name].default for name in ("web_concurrency", "database_pool_size")}
    of_a_pod = defaults["web_concurrency"] * (defaults["database_pool_size"] + 2)
    pods = 2 * find(objects, "HorizontalPodAutoscaler", "api")["spec"]["maxReplicas"]  # while they are replaced

    # One pooler has gone.
    assert pods * of_a_pod <= int(parameters["max_client_conn"])
    # PostgreSQL's max_connections is 100; half is for workers, migrations and the operator.
    assert pooler["instances"] * int(parameters["default_pool_size"]) <= 50


def test_pooler_accepts_what_every_connection_asks_for() -> None:
    parameters = find(rendered("production"), "Pooler", "pooler")["spec"]["pgbouncer"]["parameters"]
    ignored = set(parameters["ignore_startup_parameters"].split(","))

    assert ignored == {*SERVER_SETTINGS, *KEEPALIVES} - TRACKED


@pytest.mark.parametrize("overlay", ["trial", "production"])
def test_database_is_prepared_as_for_migrations_of_a_superuser(overlay: str) -> None:
    spec = find(rendered(overlay), "Cluster", "database")["spec"]

    (owner, *statements) = spec["bootstrap"]["initdb"]["postInitApplicationSQL"]
    assert owner == "ALTER ROLE accounts CREATEROLE"
    assert statements == list(roles.SUPERUSER_REVOKES)
    # The operator revokes memberships that managed.roles does not list, and so the owner's in the role it creates.
    assert "managed" not in spec


def test_names_of_the_pooler_are_in_the_certificate() -> None:
    objects = rendered("production")
    names: list[Any] = find(objects, "Cluster", "database")["spec"]["certificates"]["serverAltDNSNames"]

    assert find(objects, "Pooler", "pooler")["metadata"]["name"] in names
    for name, host in (("api", "pooler"), ("worker", "database-rw")):
        for container in containers(pod("production", name)):
            url = environment("production", container)["DATABASE_URL"]
            assert f"@{host}:5432/accounts?sslmode=verify-full" in url
