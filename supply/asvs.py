"""The ASVS list as a page: ``python -m supply.asvs`` writes docs/security/asvs.md from asvs.yaml; ``--check`` compares."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import yaml

from supply.locks import ROOT

SOURCE, PAGE = ROOT / "docs/security/asvs.yaml", ROOT / "docs/security/asvs.md"
HEAD = """# ASVS 5.0.0, levels 1 and 2

Made from [asvs.yaml](asvs.yaml) by `python -m supply.asvs`; do not edit. What each requirement asks is said in our
words; the standard's own text is OWASP's. {proved} of {all} are proved by tests that CI runs, {not_here} do not
apply for the reason given, {open} are open.

| No. | Level | What | Proof, reason, or what it waits for |
|---|---|---|---|
"""


def read() -> dict[str, Any]:
    """Return the list as it is written."""
    found: dict[str, Any] = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    return found


def page() -> str:
    """Return the page."""
    listed = read()
    kinds = Counter(
        next(kind for kind in ("by", "na", "open") if kind in each) for each in listed["requirements"]
    )
    figures = {"proved": kinds["by"], "not_here": kinds["na"], "open": kinds["open"], "all": kinds.total()}
    return HEAD.format(**figures) + "".join(_line(each, listed) for each in listed["requirements"])


def _line(each: dict[str, Any], listed: dict[str, Any]) -> str:
    if "by" in each:
        tests = [listed["tests"][alias].partition("::") for alias in each["by"]]
        said = "<br>".join(f"[{name}](../../{path})" for path, _, name in tests)
    else:
        word = "n/a" if "na" in each else "**open**"
        reason = each.get("na") or each["open"]
        said = f"{word}: {listed['reasons'].get(reason, reason)}"
    return f"| {each['id']} | {each['level']} | {each['says']} | {said} |\n"


def main() -> int:
    """Write the page, or say whether it is as it would be written."""
    if "--check" in sys.argv:
        return int(not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
