"""The page of promises: what we promise, which tests prove it, how they last ended."""  # noqa: INP001 - see code_facts

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from docs.code_facts import ROOT

PROMISES = ROOT / "docs" / "promises.yaml"
RESULTS = ROOT / "docs" / "promises.json"
HEAD = """<!-- Written by `make docs` from docs/promises.yaml and docs/promises.json. -->

# Promises

Each promise has tests that can fail; the last result of each is below. `make promises` runs them and renews this page.
"""


def promises_page() -> str:
    """Return the page."""
    recorded = json.loads(RESULTS.read_text(encoding="utf-8"))
    lines = [
        HEAD,
        f"Last run: {recorded['on']}, commit `{recorded['commit']}`, {recorded['machine']}.\n",
        "| | Promise | State | Tests | Measured |",
        "|---|---|---|---|---|",
    ]
    lines += [_row(each, recorded["tests"]) for each in declared_promises()]
    lines.append("\n## The tests\n")
    for each in declared_promises():
        lines += [
            f"- {each['id']} {'✓' if result['outcome'] == 'passed' else result['outcome']} `{test}`"
            for test, result in _proving(each["id"], recorded["tests"]).items()
        ]
    return "\n".join(lines) + "\n"


def declared_promises() -> list[dict[str, str]]:
    """Return the promises as declared, in their order."""
    return list(yaml.safe_load(PROMISES.read_text(encoding="utf-8")))


def record(source: Path, *, on: str, commit: str, machine: str) -> None:
    """Keep the results of a run with ``--promises`` as the last ones."""
    tests = json.loads(source.read_text(encoding="utf-8"))
    kept = {"on": on, "commit": commit, "machine": machine, "tests": tests}
    RESULTS.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _row(promise: dict[str, str], tests: dict[str, Any]) -> str:
    proving = _proving(promise["id"], tests)
    measured = "<br>".join(value for result in proving.values() for value in result["measured"])
    return f"| {promise['id']} | {promise['promise']} | {_state(promise, proving)} | {len(proving)} | {measured} |"


def _proving(promise_id: str, tests: dict[str, Any]) -> dict[str, Any]:
    return {test: result for test, result in tests.items() if promise_id in result["promises"]}


def _state(promise: dict[str, str], proving: dict[str, Any]) -> str:
    if not proving:
        return (
            f"open: waits for {promise['waits_for']}" if "waits_for" in promise else "open: no test has run"
        )
    failed = sum(result["outcome"] != "passed" for result in proving.values())
    part = f"; the rest waits for {promise['waits_for']}" if "waits_for" in promise else ""
    return (f"**{failed} of its tests did not pass**" if failed else "held") + part


if __name__ == "__main__":
    record(Path(sys.argv[1]), on=sys.argv[2], commit=sys.argv[3], machine=sys.argv[4])
