"""What one measurement says, and how it is written and printed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Measured:
    """One named number with its latencies and the limit that was measured beside it."""

    name: str
    value: float
    unit: str
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    limit_name: str | None = None
    limit_value: float | None = None
    rows: int | None = None
    """How much data lay in the tables, or how many samples the number stands on; ``detail`` says which."""
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """The value as a share of its limit."""
        return round(self.value / self.limit_value, 4) if self.limit_value else None

    def entry(self) -> dict[str, Any]:
        """Return what stands in bench.json."""
        detail = {"detail": self.detail} if self.detail else {}
        return {key: value for key, value in asdict(self).items() if key != "detail"} | {
            "ratio": self.ratio,
            **detail,
        }


@dataclass(frozen=True, slots=True)
class Missing:
    """A measurement that could not be made here, and why."""

    name: str
    why: str


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Return p50, p95 and p99 in milliseconds; nothing for no samples."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    return {
        f"p{share}_ms": round(1000 * ordered[min(len(ordered) - 1, len(ordered) * share // 100)], 2)
        for share in (50, 95, 99)
    }


def write(found: Sequence[Measured | Missing], path: Path) -> None:
    """Replace bench.json: the measurements made. What could not be made is printed, not written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = [each.entry() for each in found if isinstance(each, Measured)]
    path.write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n")


def table(found: Sequence[Measured | Missing]) -> Table:
    """Return the table at the end of a run."""
    shown = Table("name", "value", "unit", "p50 ms", "p95 ms", "p99 ms", "limit", "ratio", "rows")
    for each in found:
        if isinstance(each, Missing):
            shown.add_row(each.name, f"[red]not measured:[/] {each.why}")
            continue
        limit = f"{_number(each.limit_value)} {each.limit_name}" if each.limit_value else "-"
        shown.add_row(
            each.name,
            _number(each.value),
            each.unit,
            *map(_number, (each.p50_ms, each.p95_ms, each.p99_ms)),
            limit,
            _number(each.ratio),
            _number(each.rows),
        )
    return shown


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
