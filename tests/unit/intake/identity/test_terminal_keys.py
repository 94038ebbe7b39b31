from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chassis.auth import new_signing_key, sign_assertion
from chassis.errors import Fault
from services.intake.catalogue_files.terminals import load_terminals
from services.intake.domain.catalogue.places import Text
from services.intake.domain.identity.terminals import Terminal
from services.intake.store.identity import TerminalKeys
from services.intake.store.identity.terminal_keys import AUDIENCE

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
TERMINAL = "KIOSK-361123-01"
KNOWN = {TERMINAL: Terminal(TERMINAL, "361123", Text("大厅", "Hall"))}
READING = {"id_number": "11010519491231002X", "name": "测试甲", "reader": "simulator"}


def signed(key: object, reading: dict[str, str] | None = READING) -> str:
    return sign_assertion(key, TERMINAL, audience=AUDIENCE, now=NOW, bound_to=reading)


@pytest.mark.parametrize("suffix", [".pem", ".jwk"])
def test_a_key_may_be_a_pem_or_a_jwk_file(tmp_path: Path, suffix: str) -> None:
    key = new_signing_key()
    text = key.as_pem(private=False) if suffix == ".pem" else json.dumps(key.as_dict(private=False)).encode()
    (tmp_path / f"{TERMINAL}{suffix}").write_bytes(text)
    proved = TerminalKeys(tmp_path, KNOWN).prove(signed(key), READING, NOW)
    assert proved.terminal_id == TERMINAL


def test_a_replaced_key_counts_from_the_next_assertion_on(tmp_path: Path) -> None:
    old, new = new_signing_key(), new_signing_key()
    path = tmp_path / f"{TERMINAL}.pem"
    path.write_bytes(old.as_pem(private=False))
    keys = TerminalKeys(tmp_path, KNOWN)
    keys.prove(signed(old), READING, NOW)
    path.write_bytes(new.as_pem(private=False))
    os.utime(path, ns=(1, 1))
    keys.prove(signed(new), READING, NOW)
    with pytest.raises(Fault, match="NOT_AUTHENTICATED"):
        keys.prove(signed(old), READING, NOW)


def test_an_unreadable_key_shuts_its_terminal_out(tmp_path: Path) -> None:
    (tmp_path / f"{TERMINAL}.pem").write_text("no key")
    with pytest.raises(Fault, match="NOT_AUTHENTICATED"):
        TerminalKeys(tmp_path, KNOWN).prove(signed(new_signing_key()), READING, NOW)


@pytest.mark.parametrize("reading", [None, {}, READING | {"name": "测试乙"}, READING | {"extra": "1"}])
def test_an_assertion_counts_for_exactly_the_values_it_is_bound_to(
    tmp_path: Path, reading: dict[str, str] | None
) -> None:
    key = new_signing_key()
    (tmp_path / f"{TERMINAL}.pem").write_bytes(key.as_pem(private=False))
    with pytest.raises(Fault, match="NOT_AUTHENTICATED"):
        TerminalKeys(tmp_path, KNOWN).prove(signed(key, reading), READING, NOW)


def test_a_wrong_terminal_list_names_every_mistake(tmp_path: Path) -> None:
    (tmp_path / "terminals.yaml").write_text("terminals:\n  - {terminal_id: A, colour: red}\n")
    with pytest.raises(Fault, match="CATALOGUE_INVALID") as caught:
        load_terminals(tmp_path)
    assert len(caught.value.violations) == 3


def test_every_county_has_two_terminals() -> None:
    found = load_terminals(Path(__file__).resolve().parents[4] / "catalogue")
    counties = [each.county_code for each in found.values()]
    assert {each: counties.count(each) for each in counties} == {"361103": 2, "361123": 2, "422827": 2}
