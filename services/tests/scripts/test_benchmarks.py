"""The benchmarks: servers that are compared do the same."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from benchmarks import data
from benchmarks.api import Api
from benchmarks.reads import READS
from benchmarks.running import Running, running
from benchmarks.workloads import SCALED
from postgres import throwaway

LEFT_OUT = {"last_seen_at", "current", "second_factor"}  # they differ by session, or only the project has them


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setenv("PYTHONPATH", ".:..:../scripts")
    with throwaway() as cluster:
        data.migrate(cluster)
        with running(cluster, ["project", "good"], data.seed(cluster, 1_000), 1) as started:
            for _, workloads in started.values():
                workloads.target.readers()  # all sign in before their sessions are listed
            yield started


@pytest.mark.slow(seconds=30)
def test_good_variant_answers_every_read_like_the_project(servers: Running) -> None:
    for workload in dict.fromkeys((*READS, *SCALED)):
        project, good = ([*answers(servers, name, workload)] for name in ("project", "good"))
        assert project == good, workload
        assert all(project), workload


def answers(servers: Running, name: str, workload: str) -> Iterator[Any]:
    """Send the requests of a workload, and yield what is compared of the responses."""
    server, workloads = servers[name]
    with closing(Api(server.port)) as api:
        for text in workloads.job(workload, 1)["requests"]:
            (method, path, _), *headers = (line.split(" ") for line in text.strip().split("\r\n"))
            named = {header.removesuffix(":"): " ".join(value) for header, *value in headers}
            status, content, _ = api.request(method, path, headers=named)
            assert status == 200, (workload, content)
            yield json.loads(content, object_hook=lambda each: {k: v for k, v in each.items() if k not in LEFT_OUT})
