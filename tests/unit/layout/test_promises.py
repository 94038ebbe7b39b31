"""Every promise is proven by tests that exist, and no test proves a promise that nobody made."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

from docs.promises_page import RESULTS, declared_promises

ROOT = Path(__file__).resolve().parents[3]


def marked() -> Iterator[tuple[Path, str]]:
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.promise":
                yield from ((path, ast.literal_eval(argument)) for argument in node.args)


def test_a_test_names_only_promises_that_are_made():
    made = {each["id"] for each in declared_promises()}
    assert {(path, promise) for path, promise in marked() if promise not in made} == set()


def test_every_promise_that_waits_for_nothing_has_a_test():
    proven = {promise for _, promise in marked()}
    assert [
        each["id"] for each in declared_promises() if "waits_for" not in each and each["id"] not in proven
    ] == []


def test_the_recorded_results_are_of_tests_that_exist():
    recorded = json.loads(RESULTS.read_text(encoding="utf-8"))["tests"]
    files = {ROOT / test.partition("::")[0] for test in recorded}
    functions = {path: path.read_text(encoding="utf-8") if path.is_file() else "" for path in files}
    gone = [
        test
        for test in recorded
        if f"def {test.partition('[')[0].split('::')[-1]}(" not in functions[ROOT / test.partition("::")[0]]
    ]
    assert gone == []
