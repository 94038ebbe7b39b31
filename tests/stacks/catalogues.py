"""The catalogue of one county alone: a deployment has its own departments and no other's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
_NAMED_BY = ("division", "county_code")


def county_catalogue(target: Path, county: str) -> Path:
    """Write the catalogue with only what one county has, and return where it is."""
    shutil.copytree(ROOT / "catalogue", target)
    for path in target.rglob("*.yaml"):
        before = yaml.safe_load(path.read_text(encoding="utf-8"))
        after = _of(before, county)
        if after != before:
            path.write_text(yaml.safe_dump(after, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return target


def _of(said: Any, county: str) -> Any:
    """Return a document without what names another county."""
    if isinstance(said, dict):
        return {
            name: [county] if name == "divisions" and county in value else _of(value, county)
            for name, value in said.items()
        }
    if isinstance(said, list):
        return [_of(each, county) for each in said if not _is_elsewhere(each, county)]
    return said


def _is_elsewhere(said: Any, county: str) -> bool:
    names = [said[name] for name in _NAMED_BY if name in said] if isinstance(said, dict) else []
    return any(name != county for name in names)
