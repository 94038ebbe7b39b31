"""Reads ``terminals.yaml``: which terminals may open sessions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ConfigDict, with_config

from chassis.datafiles import read_tree
from chassis.errors import Violation
from services.intake.catalogue_files.shapes import Shaper
from services.intake.domain.catalogue.rules.reasons import CATALOGUE_INVALID
from services.intake.domain.identity.terminals import Terminal

FILE = "terminals.yaml"
with_config(ConfigDict(extra="forbid"))(Terminal)  # the domain itself stays free of pydantic


def load_terminals(directory: Path) -> Mapping[str, Terminal]:
    """Return the terminals by id; raises CATALOGUE_INVALID naming every mistake in the file."""
    tree = read_tree(directory)
    shaper = Shaper()
    found: list[Violation] = [each for each in tree.problems if each.field_path == FILE]
    content = tree.files.get(FILE)
    values = content.get("terminals") if isinstance(content, dict) else None
    if not isinstance(values, list):
        shaper.note(FILE, "must hold one list under the key terminals")
        values = []
    pairs = [(f"{FILE}: {at}", value) for at, value in enumerate(values)]
    table: dict[str, Terminal] = shaper.index(shaper.build_all(Terminal, pairs), "terminal_id", FILE)
    found += shaper.problems
    if found:
        raise CATALOGUE_INVALID(violations=found, count=len(found))
    return table
