"""RFC 3161 tokens over signature values, with SM2 and SM3."""

from __future__ import annotations

import subprocess
from datetime import timedelta

import pytest

from services.seal.domain import der
from services.seal.domain.certificates import Profile
from services.seal.domain.certificates.building import SIGNER
from services.seal.domain.pki import TIME_STAMPING, certify, make_crl
from services.seal.domain.sealing import seal_document
from services.seal.domain.timestamps import make_token
from services.seal.domain.verification import verify_document
from tests.unit.seal.sealing_room import (
    NOW,
    PLACE,
    crls,
    evidence,
    judge,
    ofd_files,
    pack,
    pki,
    seal_in_use,
    signer,
    sm2,
)

DAY = timedelta(days=1)
POLICY = "1.3.6.1.4.1.99999.1"
AUTHORITY = Profile(frozenset({"digital_signature"}), extended_usages=(TIME_STAMPING,))


def authority(profile=AUTHORITY, until=NOW + 900 * DAY):
    return certify(sm2(), pki().signer_ca, "时间戳", profile, NOW - 50 * DAY, until)


def token_maker(credential=None, at=NOW, over=None):
    credential = credential or authority()
    key = sm2().open_key(credential.private_key)
    return lambda signature: make_token(
        sm2(), key, credential.certificate, sm2().digest(over or signature), 7, at, POLICY, 99
    )


def stamped(maker) -> bytes:
    return seal_document(pack(ofd_files()), seal_in_use(), [PLACE], NOW, maker).data


def test_a_stamped_document_is_valid_and_its_time_is_proved():
    report = verify_document(stamped(token_maker()), evidence(own_makers=frozenset()))
    assert report.verdict.value == "VALID"
    assert report.signatures[0].proved_at == NOW


def test_a_proved_time_outlives_a_later_revocation():
    lists = (*crls()[:2], make_crl(sm2(), pki().signer_ca, {signer().certificate: NOW + DAY}, 3, NOW))
    abroad = evidence(own_makers=frozenset(), crls=lists, now=NOW + 2 * DAY)
    assert judge(stamped(token_maker()), abroad).verdict == "VALID"


def test_a_whole_response_is_read_too():
    maker = token_maker()
    response = der.sequence(der.sequence(der.write_integer(0)), maker(b"x"))
    assert response

    def respond(signature):
        return der.sequence(der.sequence(der.write_integer(0)), maker(signature))

    assert judge(stamped(respond)).checks["timestamp"] == ("valid", "HOLDS")


@pytest.mark.parametrize(
    "maker",
    [
        lambda: token_maker(over=b"another signature"),
        lambda: token_maker(authority(SIGNER)),
        lambda: token_maker(at=NOW - DAY),
        lambda: token_maker(at=NOW + DAY),
        lambda: token_maker(authority(until=NOW - DAY)),
        lambda: lambda _signature: b"rubbish",
    ],
    ids=["other value", "no purpose", "too early", "too late", "expired authority", "rubbish"],
)
def test_wrong_tokens_are_refused(maker):
    assert judge(stamped(maker())).failed() == {"timestamp": "TIMESTAMP"}


def test_a_changed_token_is_refused():
    def damage(signature):
        token = bytearray(token_maker()(signature))
        token[-5] ^= 1
        return bytes(token)

    assert judge(stamped(damage)).failed() == {"timestamp": "TIMESTAMP"}


def test_an_unknown_authority_leaves_the_question_open():
    from services.seal.domain.pki import make_development_pki

    other = make_development_pki(sm2(), [], NOW - 60 * DAY)
    tsa = certify(sm2(), other.signer_ca, "别处", AUTHORITY, NOW - 50 * DAY, NOW + DAY)
    assert judge(stamped(token_maker(tsa))).unsettled() == {"timestamp": "TIMESTAMP_AUTHORITY"}


def test_openssl_reads_the_token(tmp_path):
    (tmp_path / "token").write_bytes(token_maker()(b"x"))
    command = ["openssl", "ts", "-reply", "-token_in", "-in", "token", "-text"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Serial number: 0x07" in done.stdout, done.stderr
    assert "Nonce: 0x63" in done.stdout
