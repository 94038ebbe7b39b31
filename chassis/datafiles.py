"""Reads a directory of YAML and CSV files into plain values with one digest over all of them.

Each service takes from the tree the files that concern it; nobody's file is read twice differently.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chassis.errors import Kind, Violation, declare

try:  # the C parser is about eight times as fast; a build of PyYAML without libyaml lacks it
    from yaml import CSafeLoader as _SafeLoader
except ImportError:
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

DATA_FILE_UNREADABLE = declare(
    "DATA_FILE_UNREADABLE",
    Kind.FAILED_PRECONDITION,
    "数据文件无法读取：{detail}",
    "Cannot read the file: {detail}",
)

Rows = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class DataTree:
    """The parsed files by path relative to the directory (``/`` separated), CSV as rows of texts.

    ``problems`` names the files that could not be parsed; they are absent from ``files``.
    """

    files: Mapping[str, object]
    digest: str
    problems: tuple[Violation, ...] = ()

    def under(self, folder: str) -> dict[str, object]:
        """Return the files below a folder, sorted by path."""
        prefix = folder.rstrip("/") + "/"
        return {path: self.files[path] for path in sorted(self.files) if path.startswith(prefix)}


def read_tree(directory: Path) -> DataTree:
    """Read every ``.yaml`` and ``.csv`` file below a directory; other files are left alone.

    The digest covers the parsed content, so that comments and layout may change without making a
    new version. It is ``sha256:`` and 64 hex digits.
    """
    files: dict[str, object] = {}
    problems: list[Violation] = []
    for path in sorted(directory.rglob("*")):
        parse = _PARSERS.get(path.suffix)
        if parse is None or not path.is_file():
            continue
        name = path.relative_to(directory).as_posix()
        try:
            files[name] = parse(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, csv.Error, UnicodeDecodeError, OSError, ValueError) as error:
            problems.append(DATA_FILE_UNREADABLE.at(name, detail=" ".join(str(error).split())))
    return DataTree(files, content_digest(files), tuple(problems))


def content_digest(content: object) -> str:
    """Return ``sha256:…`` of a value of plain types, the same whatever the order of its keys."""
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


class _UniqueKeyLoader(_SafeLoader):
    """A safe loader that refuses a repeated key; plain YAML would silently keep the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set[Hashable]()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"repeated key {key!r}", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _yaml(text: str) -> object:
    return yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 - a subclass of SafeLoader


def _csv(text: str) -> Rows:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    rows = list(reader)
    if any(None in row or None in row.values() for row in rows):
        message = "a row has more or fewer cells than the header"
        raise ValueError(message)
    return rows


_PARSERS: dict[str, Callable[[str], object]] = {".yaml": _yaml, ".csv": _csv}
