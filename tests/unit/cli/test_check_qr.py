"""`tongban check-qr`: a key file and a text are enough; what is wrong is refused by its reason."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chassis.auth import DocumentSigner, new_signing_key, write_jwks
from chassis.clock import system_clock
from cli.main import app
from services.certs.domain.presentation import OFFLINE_KIND, qr_text_of, state
from services.certs.domain.status import LicenceStatus
from tests.unit.certs.conftest import data, licence, types

__all__ = ["data", "licence", "types"]
KEY = new_signing_key()


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    write_jwks([KEY], tmp_path / "keys.json")
    return tmp_path / "keys.json"


def text_of(found, life: timedelta = timedelta(hours=1), key=KEY, before: timedelta = timedelta()) -> str:
    from dataclasses import replace

    valid = replace(found, status=LicenceStatus.VALID, valid_until=None)
    statement = state(valid, "handle", life, None, system_clock() - before)
    return qr_text_of(DocumentSigner(key).sign_document(statement.claims(), kind=OFFLINE_KIND))


def run(text: str, keys: Path) -> tuple[int, dict[str, object]]:
    done = CliRunner().invoke(app, ["check-qr", text, "--keys", str(keys), "--json"])
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
