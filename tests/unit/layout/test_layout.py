from __future__ import annotations

import ast
import re
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SKIPPED = {"gen", "node_modules", "__pycache__", "build", "dist"}
MAX_LINES = 400
MAX_FUNCTION_LINES_P90 = 45
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "misc"} | set(
    sys.stdlib_module_names
)
# The brackets keep this file from containing what it looks for.
UNFINISHED = re.compile(r"\b(TO[D]O|FIX[M]E|XX[X]|HA[C]K)\b|raise NotImplemente[d]Error")
ERRORS_MODULE = "chassis.errors"


def python_files(*folders: str) -> Iterator[Path]:
    for start in [ROOT / folder for folder in folders] or [ROOT]:
        for path in sorted(start.rglob("*.py")):
            parts = path.relative_to(ROOT).parts
            if not SKIPPED.intersection(parts) and not any(part.startswith(".") for part in parts):
                yield path


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    sizes = {short(path): len(path.read_text("utf-8").splitlines()) for path in python_files()}
    assert {name: size for name, size in sizes.items() if size > MAX_LINES} == {}


def test_nine_functions_in_ten_are_at_most_forty_five_lines() -> None:
    lengths = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in python_files("chassis", "cli", "events", "services", "standards")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert statistics.quantiles(lengths, n=10)[-1] <= MAX_FUNCTION_LINES_P90


def test_no_module_has_an_empty_name_or_that_of_the_standard_library() -> None:
    named = [(path, path.parent.name if path.stem == "__init__" else path.stem) for path in python_files()]
    allowed = {"__init__", "__main__"}
    assert [short(path) for path, name in named if name in FORBIDDEN_NAMES - allowed] == []


def test_nothing_is_marked_unfinished() -> None:
    marked = [
        f"{short(path)}:{number}"
        for path in python_files()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if UNFINISHED.search(line)
    ]
    assert marked == []


def test_the_national_rules_need_only_the_standard_library_and_the_error_family() -> None:
    foreign = [
        f"{short(path)}: {module}"
        for path in python_files("standards")
        for module in imported(path)
        if module.split(".")[0] not in {*sys.stdlib_module_names, "standards"} and module != ERRORS_MODULE
    ]
    assert foreign == []


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@pytest.mark.parametrize("package", ["chassis", "cli", "events", "services", "standards"])
def test_every_folder_with_modules_is_a_package(package: str) -> None:
    loose = {
        short(path.parent)
        for path in python_files(package)
        if "migrations" not in path.parts and not (path.parent / "__init__.py").is_file()
    }
    assert loose == set()
