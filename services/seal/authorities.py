"""Reads the authorities that get a seal from the catalogue's data files."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from chassis.errors import Kind, declare
from services.seal.usecases.ports import Authority

AUTHORITIES_INVALID = declare(
    "AUTHORITIES_INVALID",
    Kind.FAILED_PRECONDITION,
    "部门数据有误：{cause}",
    "The departments file is wrong: {cause}",
)


class _Read(BaseModel):
    """The fields of a department that concern its seal; others are for others."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Names(_Read):
    zh: str


class _Department(_Read):
    uscc: str
    division: str
    name: _Names
    seal_name: str


class _File(_Read):
    departments: list[_Department]


def read_authorities(catalogue: Path) -> list[Authority]:
    """Return the departments of ``departments.yaml`` in its order. Raises AUTHORITIES_INVALID."""
    try:
        text = (catalogue / "departments.yaml").read_text(encoding="utf-8")
        found = _File.model_validate(yaml.safe_load(text)).departments
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as problem:
        raise AUTHORITIES_INVALID(cause=type(problem).__name__) from problem
    codes = [each.uscc for each in found]
    if len(set(codes)) != len(codes):
        raise AUTHORITIES_INVALID(cause="uscc")
    return [Authority(each.uscc, each.division, each.name.zh, each.seal_name) for each in found]
