"""Our RFC 3161 tokens, judged by Bouncy Castle and read by the openssl command (which cannot verify SM2 there)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.seal.domain.certificates import Profile
from services.seal.domain.certificates.building import SIGNER
from services.seal.domain.suite import SM3
from tests.interop.openssl import openssl
from tests.interop.program import Program, Refused
from tests.unit.seal.sealing_room import NOW
from tests.unit.seal.test_timestamps import POLICY, authority, token_maker

STAMPED = b"a signature value"


def test_a_token_validates_and_says_what_we_wrote(java: Program):
    found = java.ask("verify_token", token=token_maker()(STAMPED), stamped=STAMPED)
    generated_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=found.pop("generated_at"))
    assert generated_at == NOW
    assert found == {"imprint": True, "imprint_algorithm": SM3, "serial": "7", "policy": POLICY}


def test_a_token_over_something_else_is_told_apart(java: Program):
    found = java.ask("verify_token", token=token_maker(over=b"other")(STAMPED), stamped=STAMPED)
    assert found["imprint"] is False


@pytest.mark.parametrize("share", range(1, 12))
def test_a_changed_token_is_refused(java: Program, share):
    token = bytearray(token_maker()(STAMPED))
    token[-(share * 6)] ^= 0x01  # inside the signature and the signed attributes, which end the token
    with pytest.raises(Refused):
        java.ask("verify_token", token=bytes(token), stamped=STAMPED)


@pytest.mark.parametrize(
    "profile", [SIGNER, Profile(frozenset({"digital_signature"}), extended_usages=("1.3.6.1.5.5.7.3.3",))]
)
def test_a_token_of_a_certificate_without_the_right_is_refused(java: Program, profile):
    token = token_maker(authority(profile))(STAMPED)
    with pytest.raises(Refused, match="TSP"):
        java.ask("verify_token", token=token, stamped=STAMPED)


def test_a_token_made_after_its_certificate_ended_is_refused(java: Program):
    ended = authority(until=NOW - timedelta(days=1))
    with pytest.raises(Refused, match="TSP"):
        java.ask("verify_token", token=token_maker(ended)(STAMPED), stamped=STAMPED)


def test_the_openssl_command_prints_the_token(tmp_path):
    done, said = openssl(
        tmp_path, "ts", "-reply", "-in", "token", "-token_in", "-text", token=token_maker()(STAMPED)
    )
    assert done, said
    assert f"Policy OID: {POLICY}" in said
    assert "Hash Algorithm: sm3" in said
    assert "Serial number: 0x07" in said
    assert "Nonce: 0x63" in said
