"""`tongban seals` before it reaches the service: files of certificates, and what must be said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from asn1crypto import pem
from typer.testing import CliRunner

from chassis.errors import Fault
from cli.clients.seal_office import certificates_of
from cli.commands.seal_uses import DocumentWord
from cli.commands.seals import SealKind, SealState
from cli.main import app
from services.seal.domain import authorisation, kinds, register
from tests.unit.seal.sealing_room import pki


def test_certificates_are_read_in_der_and_several_in_pem(tmp_path: Path) -> None:
    leaf, above = pki().maker.certificate, pki().maker_ca.certificate
    one, several = tmp_path / "one.der", tmp_path / "several.pem"
    one.write_bytes(leaf)
    several.write_bytes(b"".join(pem.armor("CERTIFICATE", each) for each in (leaf, above)))
    assert certificates_of(one) == [leaf]
    assert certificates_of(several) == [leaf, above]
    broken = tmp_path / "broken.pem"
    broken.write_bytes(b"-----BEGIN CERTIFICATE-----\nnonsense\n")
    for path in (broken, tmp_path / "absent"):
        with pytest.raises(Fault, match="CERTIFICATE_FILE"):
            certificates_of(path)


def test_a_decision_is_one_of_two(tmp_path: Path) -> None:
    said = ["seals", "decide", "x", "--reason", "r", "--operator", "o", "--data-dir", str(tmp_path), "--json"]
    for flags in ([], ["--approve", "--reject"]):
        found = CliRunner().invoke(app, [*said, *flags])
        assert (found.exit_code, json.loads(found.stdout)["reason"]) == (1, "DECISION_WANTED")
    found = CliRunner().invoke(app, [*said, "--approve"])
    assert (found.exit_code, json.loads(found.stdout)["reason"]) == (1, "STACK_NOT_RUNNING")


def test_the_words_of_the_commands_are_those_of_the_service() -> None:
    assert list(SealKind) == [each.value for each in kinds.SealKind]
    assert list(DocumentWord) == [each.value for each in authorisation.DocumentType]
    by_the_maker = {register.SealStatus.MADE, register.SealStatus.FILED}
    assert list(SealState) == [each.value for each in register.SealStatus if each not in by_the_maker]
