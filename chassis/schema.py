"""What database schema this code expects, read from the migration files without importing them.

A serving process checks it at start; Alembic and SQLAlchemy are loaded by the migration job only.
"""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from chassis.db import Transaction
from chassis.errors import Kind, declare

SCHEMA_OUTDATED = declare(
    "SCHEMA_OUTDATED",
    Kind.FAILED_PRECONDITION,
    "数据库结构版本为 {found}，需要 {expected}，请先执行迁移",
    "The database schema is at {found}, this code needs {expected}; run the migration job",
)
SCHEMA_TOO_NEW = declare(
    "SCHEMA_TOO_NEW",
    Kind.FAILED_PRECONDITION,
    "数据库结构版本 {found} 不再支持本程序（{expected}），请升级程序",
    "The database schema {found} no longer serves this code ({expected}); run a newer release",
)
MIGRATIONS_MALFORMED = declare(
    "MIGRATIONS_MALFORMED",
    Kind.INTERNAL,
    "迁移脚本有误：{cause}",
    "The migrations are not one line of revisions: {cause}",
)

FLOOR_MARK = "code_floor="
"""Prefix of the version table's comment: the oldest head whose code may still serve."""
_DECLARED = {"revision", "down_revision", "code_floor", "contracts"}


@dataclass(frozen=True, slots=True)
class Step:
    """One migration file: its revision, the one before it, the floor it declares, if any.

    ``contracts`` names the release that stopped using what the migration takes away; a migration
    without it only adds, and the release before goes on serving.
    """

    revision: str
    down_revision: str | None
    code_floor: str | None
    contracts: str | None = None


def versions_dir(service: str) -> Path:
    """Return ``services/<service>/migrations/versions``. Raises MIGRATIONS_MALFORMED for no such service."""
    spec = importlib.util.find_spec(f"services.{service}")
    if spec is None or not spec.submodule_search_locations:
        raise MIGRATIONS_MALFORMED(cause=f"no package services.{service}")
    return Path(spec.submodule_search_locations[0]) / "migrations" / "versions"


def chain(directory: Path) -> tuple[Step, ...]:
    """Return the migrations from first to head. Raises MIGRATIONS_MALFORMED unless they form one line."""
    steps = [_read(path) for path in sorted(directory.glob("[!_]*.py"))]
    follower = {step.down_revision: step for step in steps}
    if not steps or len(follower) != len(steps):
        raise MIGRATIONS_MALFORMED(cause=f"{len(steps)} files, {len(follower)} distinct down_revision")
    ordered: list[Step] = []
    at: str | None = None
    while step := follower.pop(at, None):
        ordered.append(step)
        at = step.revision
    if follower:
        raise MIGRATIONS_MALFORMED(cause=f"not reachable: {sorted(s.revision for s in follower.values())}")
    return tuple(ordered)


def expected_head(service: str, *, directory: Path | None = None) -> str:
    """Return the revision the database must be at for this code."""
    return chain(directory or versions_dir(service))[-1].revision


async def check_schema(tx: Transaction, service: str, *, directory: Path | None = None) -> None:
    """Return if this code may serve on the database as it is.

    A schema newer than this code is accepted while no applied migration has raised ``code_floor``
    above this code: instances of the previous release keep serving, and restart, during an upgrade.

    Raises SCHEMA_OUTDATED, SCHEMA_TOO_NEW.
    """
    known = [step.revision for step in chain(directory or versions_dir(service))]
    try:
        row = await tx.fetchrow(
            "SELECT version_num, obj_description('public.alembic_version'::regclass, 'pg_class') AS floor"
            " FROM public.alembic_version"
        )
    except asyncpg.UndefinedTableError:
        row = None
    found = row["version_num"] if row else "-"
    if found == known[-1]:
        return
    if row is None or found in known:
        raise SCHEMA_OUTDATED(found=found, expected=known[-1])
    floor = (row["floor"] or "").removeprefix(FLOOR_MARK)
    if floor and floor not in known:
        raise SCHEMA_TOO_NEW(found=found, expected=known[-1])


def _read(path: Path) -> Step:
    values: dict[str, str | None] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if isinstance(target, ast.Name) and target.id in _DECLARED:
            values[target.id] = ast.literal_eval(node.value)
    if not values.get("revision"):
        raise MIGRATIONS_MALFORMED(cause=f"{path.name} declares no revision")
    return Step(
        str(values["revision"]),
        values.get("down_revision"),
        values.get("code_floor"),
        values.get("contracts"),
    )
