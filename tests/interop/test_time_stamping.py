"""What our time-stamping authority answers, judged by Bouncy Castle and printed by the openssl command."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from services.seal.domain.suite import SHA256, SM3
from services.seal.domain.timestamps import read_response, write_request
from services.seal.tsa.authority import POLICY_OID
from tests.interop.openssl import openssl
from tests.interop.program import Program, Refused
from tests.unit.seal.sealing_room import NOW, sm2
from tests.unit.seal.stamping_room import companion, p256, stamping_authority

STAMPED = b"a signature value"
SUITES = [(sm2(), SM3), (p256(), SHA256)]
each_suite = pytest.mark.parametrize(("suite", "digest"), SUITES, ids=["SM2-SM3", "ECDSA-P256-SHA256"])


@each_suite
def test_bouncy_castle_validates_what_the_authority_answers(java: Program, suite, digest):
    answer = stamping_authority().answer(write_request(suite, suite.digest(STAMPED), 1 << 90))
    found = java.ask("verify_token", token=read_response(answer).token, stamped=STAMPED)
    assert (found["imprint_algorithm"], found["policy"]) == (digest, POLICY_OID)
    assert found["imprint"] is (digest == SM3)  # the program compares with SM3
    assert int(found["serial"]).bit_length() == 127


@each_suite
def test_bouncy_castle_refuses_it_changed(java: Program, suite, digest):
    del digest
    token = bytearray(
        read_response(stamping_authority().answer(write_request(suite, suite.digest(STAMPED), 1))).token
    )
    token[-7] ^= 1
    with pytest.raises(Refused):
        java.ask("verify_token", token=bytes(token), stamped=STAMPED)


@each_suite
def test_the_openssl_command_prints_the_whole_answer(tmp_path: Path, suite, digest):
    del digest
    answer = stamping_authority().answer(write_request(suite, suite.digest(STAMPED), 99))
    done, said = openssl(tmp_path, "ts", "-reply", "-in", "answer", "-text", answer=answer)
    assert done, said
    assert "Status: Granted." in said
    assert "Accuracy: 0x01 seconds" in said
    assert "Nonce: 0x63" in said


@pytest.mark.parametrize("changed", [False, True])
def test_the_openssl_command_verifies_the_second_suite(tmp_path: Path, changed):
    """It has no way to verify SM2 in tokens: there is no distid for `ts -verify`."""
    answer = stamping_authority().answer(write_request(p256(), p256().digest(STAMPED), 99))
    for name, der_bytes in (("root", companion().root.certificate), ("ca", companion().maker_ca.certificate)):
        (tmp_path / f"{name}.pem").write_text(ssl.DER_cert_to_PEM_cert(der_bytes))
    (tmp_path / "data").write_bytes(STAMPED + (b"x" if changed else b""))
    done, said = openssl(
        tmp_path, "ts", "-verify", "-data", "data", "-in", "answer", "-CAfile", "root.pem", "-untrusted", "ca.pem",
        "-attime", str(int(NOW.timestamp())), answer=answer,
    )  # fmt: skip
    assert done is not changed, said


def test_the_openssl_command_reads_why_a_request_is_refused(tmp_path: Path):
    done, said = openssl(
        tmp_path, "ts", "-reply", "-in", "answer", "-text", answer=stamping_authority().answer(b"x")
    )
    assert done, said
    assert "Status: Rejected." in said
    assert "the data submitted has the wrong format" in said


def test_a_request_of_the_openssl_command_is_answered(tmp_path: Path):
    """With SHA-256, its policy left out, its nonce and its wish for the certificate."""
    (tmp_path / "data").write_bytes(STAMPED)
    made = subprocess.run(
        ["openssl", "ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "query"],
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    answer = stamping_authority().answer((tmp_path / "query").read_bytes())
    assert read_response(answer).status == 0
    (tmp_path / "answer").write_bytes(answer)
    shown = subprocess.run(
        ["openssl", "ts", "-query", "-in", "query", "-text"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    nonce = next(line for line in shown.stdout.splitlines() if line.startswith("Nonce"))
    done, said = openssl(tmp_path, "ts", "-reply", "-in", "answer", "-text", answer=answer)
    assert done, said
    assert nonce in said
