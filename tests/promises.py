"""Which promise a test proves, and what the last run of it said: ``@pytest.mark.promise("P2")``.

With ``--promises FILE`` a run writes, for each marked test, its outcome and what it measured
(``record_property("measured", …)``), beside the results that FILE already holds of tests it did not run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MARK = "promise"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--promises", type=Path, default=None, help="write what became of each promise here")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARK}(*ids): the promises of docs/promises.md that the test proves")
    if config.getoption("--promises") is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(config.getoption("--promises")), "promise-recorder")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    # A report travels from a parallel worker to the recorder; the item does not.
    for promise in promises_of(item):
        item.user_properties.append((MARK, promise))


def promises_of(item: pytest.Item) -> Iterator[str]:
    for mark in item.iter_markers(MARK):
        yield from mark.args


class Recorder:
    """Collects the reports of marked tests and writes them when the session ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        kept = [value for name, value in report.user_properties if name == MARK]
        if not kept or (report.when != "call" and report.passed):
            return
        name = _without_lane(report.nodeid)
        outcome = "failed" if self._seen.get(name, {}).get("outcome") == "failed" else report.outcome
        self._seen[name] = {
            "promises": sorted({str(each) for each in kept}),
            "outcome": outcome,
            "measured": [str(value) for name, value in report.user_properties if name == "measured"],
        }

    def pytest_sessionfinish(self) -> None:
        before = json.loads(self._path.read_text(encoding="utf-8")) if self._path.exists() else {}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        merged = dict(sorted((before | self._seen).items()))
        text = json.dumps(merged, indent=1, ensure_ascii=False) + "\n"
        self._path.write_text(text, encoding="utf-8")


def _without_lane(node_id: str) -> str:
    """Return a test's id without the ``@lane`` that a parallel run appends (tests.lanes)."""
    name, _, lane = node_id.rpartition("@")
    return name if name and "]" not in lane else node_id
