"""`tongban check-qr`: a key file and a text are enough; what is wrong is refused by its reason."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chassis.auth import DocumentSigner, new_signing_key, write_jwks
from chassis.clock import system_clock
from chassis.tlog.compact import compact
from chassis.tlog.held import HeldLog
from cli.main import app
from services.certs.domain.log import leaf_bytes, licence_leaf
from services.certs.domain.presentation import OFFLINE_KIND, LogEvidence, qr_text_of, state
from services.certs.domain.status import LicenceStatus
from tests.unit.certs.conftest import NOW, data, licence, types
from tests.unit.chassis.tlog.test_proof import KEYS, LOG, WITNESS, note_of, simulated

__all__ = ["data", "licence", "types"]
KEY = new_signing_key()


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    write_jwks([KEY], tmp_path / "keys.json")
    return tmp_path / "keys.json"


def logged(found) -> LogEvidence:
    leaf = leaf_bytes(licence_leaf(replace(found, status=LicenceStatus.VALID, valid_until=None), "make", NOW))
    return LogEvidence(leaf, bytes(compact(simulated(6, 1_000, leaf))))


def text_of(
    found, life: timedelta = timedelta(hours=1), key=KEY, before: timedelta = timedelta(), log=None
) -> str:
    valid = replace(found, status=LicenceStatus.VALID, valid_until=None)
    statement = state(valid, "handle", life, log, system_clock() - before)
    return qr_text_of(DocumentSigner(key).sign_document(statement.claims(), kind=OFFLINE_KIND), log)


def run(text: str, keys: Path, *more: str) -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(app, ["check-qr", text, "--keys", str(keys), "--json", *more])
    return done.exit_code, json.loads(done.stdout)


def test_a_statement_is_shown_with_nothing_but_the_key_file(licence, keys):
    status, told = run(text_of(licence), keys)
    assert (status, told["status"], told["holder"]) == (0, "valid", "丰**")


def test_what_does_not_hold_is_refused_with_its_reason(licence, keys, tmp_path):
    late = text_of(licence, before=timedelta(hours=3))
    for text, reason in (
        (late, "OFFLINE_STATEMENT_EXPIRED"),
        (text_of(licence, key=new_signing_key()), "SIGNATURE_WRONG"),
        ("hello", "PRESENTATION_MALFORMED"),
    ):
        status, told = run(text, keys)
        assert (status, told["reason"]) == (1, reason)
    assert run(text_of(licence), tmp_path / "none.json")[1]["reason"] == "KEYS_UNREADABLE"


def test_the_log_is_verified_with_its_key_and_the_witness_named(licence, keys):
    text = text_of(licence, log=logged(licence))
    given = [each for key in KEYS for each in ("--log-key", str(key))]
    status, told = run(text, keys, *given)
    assert (status, told["log"], told["log_index"], told["log_size"]) == (0, "verified", 6, 1_000)
    assert list(told["witnessed_at"]) == [WITNESS.name]
    shown = CliRunner().invoke(app, ["check-qr", text, "--keys", str(keys), *given])
    assert "verified:" in shown.stdout


def test_what_cannot_be_judged_of_the_log_is_said_with_its_reason(licence, keys):
    text = text_of(licence, log=logged(licence))
    for shown, held, said in (
        (text_of(licence), HeldLog(KEYS), "not_taken_yet"),
        (text, None, "no_log_key_held"),
        (text, HeldLog((replace(LOG, name="other").verifier,)), "log_key_unknown"),
        (text, HeldLog(KEYS), "verified"),
    ):
        if held is not None:
            keys.with_name("log_trust.json").write_text(held.text, encoding="utf-8")
        status, told = run(shown, keys)
        keys.with_name("log_trust.json").unlink(missing_ok=True)
        assert (status, told["log"]) == (0, said)


def test_a_code_that_the_held_log_speaks_against_is_refused(licence, keys):
    trust = keys.with_name("log_trust.json")
    trust.write_text(HeldLog(KEYS, note_of(1_000, b"r" * 32)).text, encoding="utf-8")
    status, told = run(text_of(licence, log=logged(licence)), keys)
    assert (status, told["reason"]) == (1, "LOG_CONTRADICTED")
    proof = logged(licence)
    wrong = LogEvidence(proof.leaf, proof.proof[:40] + b"x" + proof.proof[41:])
    trust.write_text(HeldLog(KEYS).text, encoding="utf-8")
    assert run(text_of(licence, log=wrong), keys)[1]["reason"] == "LOG_PROOF_WRONG"
    trust.write_text("{", encoding="utf-8")
    assert run(text_of(licence), keys)[1]["reason"] == "LOG_TRUST_UNREADABLE"
    assert (
        run(text_of(licence), keys, "--log", str(trust.with_name("none")))[1]["reason"]
        == "LOG_TRUST_UNREADABLE"
    )
