"""The proof beside a licence's document: it names that document and no other, and is checked with the log's key alone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chassis.errors import Fault
from chassis.tlog.held import HeldLog
from chassis.tlog.proof import LogProof
from cli.main import app
from services.certs.domain.log import document_salt, leaf_bytes, licence_leaf
from services.certs.domain.log.sidecar import LeafProof, read_leaf_proof
from tests.unit.certs.conftest import NOW, data, licence, types
from tests.unit.chassis.tlog.test_proof import KEYS, LOG, WITNESS, note_of, simulated

__all__ = ["data", "licence", "types"]
OFD = b"a sealed document"


@pytest.fixture
def beside(licence) -> LeafProof:
    sealing = replace(licence.sealing, sealed_sha256=hashlib.sha256(OFD).hexdigest(), signature_id="s-1")
    leaf = licence_leaf(replace(licence, sealing=sealing, version=2), "sealed", NOW)
    content = leaf_bytes(leaf)
    return LeafProof(content, simulated(77, 1_000, content), document_salt(leaf.salt))


def verify(proof: Path, *words: str | Path) -> tuple[int, dict[str, Any]]:
    trusted = [each for key in KEYS for each in ("--log-key", str(key))]
    asked = ["log", "verify", "--proof", str(proof), *map(str, words), "--json"]
    if "--log-key" not in words and "--trust" not in words:
        asked += trusted
    done = CliRunner().invoke(app, asked)
    return done.exit_code, json.loads(done.stdout)


@pytest.fixture
def files(beside: LeafProof, tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "licence.ofd").write_bytes(OFD)
    (tmp_path / "licence.ofd.tlog-proof").write_text(beside.text, encoding="utf-8")
    return tmp_path / "licence.ofd.tlog-proof", tmp_path / "licence.ofd"


def test_it_comes_back_from_its_file(beside: LeafProof) -> None:
    assert beside.text.startswith("c2sp.org/tlog-proof@v1\nextra ")
    found = read_leaf_proof(beside.text)
    assert found.text == beside.text
    assert (found.leaf, found.document_salt, found.proof.index) == (beside.leaf, beside.document_salt, 77)


def test_the_document_s_salt_does_not_give_away_the_leaf_s(licence) -> None:
    leaf = licence_leaf(licence, "make", NOW)
    assert leaf.salt not in document_salt(leaf.salt)
    assert len(document_salt(leaf.salt)) == 16


def test_the_sealed_document_is_verified_with_the_keys_alone(files: tuple[Path, Path], licence) -> None:
    proof, document = files
    status, told = verify(proof, "--document", document)
    assert (status, told["holds"], told["document"]) == (0, True, "matches")
    assert (told["licence_id"], told["version"], told["size"]) == (licence.licence_id, 2, 1_000)
    assert list(told["witnessed_at"]) == [WITNESS.name]
    assert verify(proof)[1]["document"] == "not_given"
    trust = proof.with_name("log_trust.json")
    trust.write_text(HeldLog(KEYS).text, encoding="utf-8")
    assert verify(proof, "--trust", trust)[0] == 0


def test_another_document_is_refused_and_every_byte_of_it_counts(
    files: tuple[Path, Path], beside: LeafProof
) -> None:
    proof, document = files
    document.write_bytes(OFD + b" ")
    status, told = verify(proof, "--document", document)
    assert (status, told["reason"]) == (1, "DOCUMENT_OF_ANOTHER")
    for at in range(len(OFD)):
        with pytest.raises(Fault, match="DOCUMENT_OF_ANOTHER"):
            beside.require_document(OFD[:at] + bytes([OFD[at] ^ 1]) + OFD[at + 1 :])


def test_a_proof_without_salt_names_no_document(files: tuple[Path, Path], beside: LeafProof) -> None:
    proof, document = files
    proof.write_text(replace(beside, document_salt=b"").text, encoding="utf-8")
    assert verify(proof, "--document", document)[1]["reason"] == "DOCUMENT_NOT_NAMED"
    assert verify(proof)[0] == 0


def test_what_does_not_hold_is_refused_with_its_reason(files: tuple[Path, Path], beside: LeafProof) -> None:
    proof, document = files
    other = replace(LOG, name="other").verifier
    assert verify(proof, "--log-key", str(other))[1]["reason"] == "CHECKPOINT_FORGED"
    forged = beside.leaf.replace(b'"version":2', b'"version":3')
    hashes = (*beside.proof.hashes[:-1], b"x" * 32)
    for wrong, reason in (
        (replace(beside, leaf=forged).text, "LOG_PROOF_WRONG"),
        (replace(beside, proof=replace(beside.proof, hashes=hashes)).text, "LOG_PROOF_WRONG"),
        (replace(beside, proof=replace(beside.proof, index=78)).text, "LOG_PROOF_WRONG"),
        (replace(beside, document_salt=b"s" * 16).text, "DOCUMENT_OF_ANOTHER"),
        (LogProof(1, (), "x\n", b"{}").text, "LOG_PROOF_MALFORMED"),
        ("hello", "LOG_PROOF_MALFORMED"),
    ):
        proof.write_text(wrong, encoding="utf-8")
        assert verify(proof, "--document", document)[1]["reason"] == reason
    assert verify(proof.with_name("none"))[1]["reason"] == "PROOF_UNREADABLE"


def test_a_proof_in_another_log_than_the_one_held_is_refused(files: tuple[Path, Path]) -> None:
    proof, document = files
    trust = proof.with_name("log_trust.json")
    trust.write_text(HeldLog(KEYS, note_of(1_000, b"r" * 32)).text, encoding="utf-8")
    assert verify(proof, "--document", document, "--trust", trust)[1]["reason"] == "LOG_CONTRADICTED"
