"""The page of metrics: what each process exports, by which labels it is split, where it is declared."""  # noqa: INP001 - see code_facts

from __future__ import annotations

import re
from functools import cache

from chassis.telemetry import Metric, declared_metrics
from docs.code_facts import ROOT, product_files

HEAD = """<!-- Written by `make docs` from the code; edit the code. -->

# Metrics

Every service has a metrics door of its own: `/metrics` on `TONGBAN_METRICS_PORT`, over mutual TLS, inside the deployment only.
Labels come from a closed list (`chassis/telemetry.py`) and hold no personal data and no id of a person, case or licence.
Memory, processor time and open files are the client library's `process_*`. Dashboards and alerts: `deploy/observability/`;
what to do when one fires: [runbooks](runbooks/README.md).

| Metric | Kind | Labels | Meaning | Declared in |
|---|---|---|---|---|"""
_DECLARED = re.compile(r'\b(?:counter|gauge|histogram)\(\s*"([a-z0-9_]+)"')


def metrics_page() -> str:
    """Return the page; every product module must be imported."""
    return "\n".join([HEAD, *(_row(each) for each in product_metrics())]) + "\n"


def product_metrics() -> list[Metric]:
    """Return the metrics that the product's own modules declare."""
    return [each for each in declared_metrics() if short(each) in _places()]


def short(metric: Metric) -> str:
    """Return a metric's name as it stands in the code."""
    return metric.name.removeprefix("tongban_").removesuffix("_total" if metric.kind == "counter" else "")


@cache
def _places() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in product_files():
        for name in _DECLARED.findall(path.read_text(encoding="utf-8")):
            found[name] = path.relative_to(ROOT).as_posix()
    return found


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.text} | `{_places()[short(metric)]}` |"
