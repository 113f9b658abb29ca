"""Metric files that several processes share, and their deletion."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector

from accounts.observability import metrics_files

UNUSED_PID = 2**22 + 1  # Linux gives out none above 2**22


@pytest.fixture
def counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter]:
    monkeypatch.setenv(metrics_files.DIRECTORY, "")
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setattr(metrics_files, "_slot", "master")
    metrics_files.use_files(tmp_path)
    yield Counter("knights", "Who sits at the table.", registry=CollectorRegistry())
    values.ValueClass.close_all_files()


def test_worker_that_takes_a_freed_slot_counts_on_in_its_file(counter: Counter) -> None:
    for slot in ("1", "2", "1"):
        metrics_files.use_slot(slot)
        counter.inc()
        metrics_files.free_slot(slot)

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # prometheus-client's own
    directory = Path(os.environ[metrics_files.DIRECTORY])
    assert "knights_total 3.0" in generate_latest(registry).decode()
    assert {file.name for file in directory.iterdir()} == {"counter_master.db", "counter_1.db", "counter_2.db"}


def test_directories_of_dead_masters_are_deleted_and_others_stay(tmp_path: Path) -> None:
    names = [
        f"accounts-metrics-{UNUSED_PID}-x",
        f"accounts-metrics-{os.getppid()}-x",
        "accounts-metrics-x",
        "else",
    ]
    for name in names:
        (tmp_path / name).mkdir()

    metrics_files._delete_leftovers(tmp_path)

    assert {directory.name for directory in tmp_path.iterdir()} == set(names[1:])
