"""What comes back from an authority is used only if all of it holds; each forgery beside its sound twin."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from chassis.errors import PEER_UNAVAILABLE, Fault
from services.seal.clients.timestamps import RfcTimestamper, StampingPlace
from services.seal.domain import der
from services.seal.domain.certificates import Profile, build_certificate, build_name, read_certificate
from services.seal.domain.certificates.building import SIGNER
from services.seal.domain.pki import STATUS_LIST_SIGNING, TIME_STAMPING, Credential, make_development_pki
from services.seal.domain.stamping_keys import TIME_STAMPER
from services.seal.domain.timestamps import (
    TimestampTrust,
    TokenWriter,
    judge_token,
    make_token,
    read_request,
    write_grant,
)
from services.seal.domain.timestamps.making import SIGNING_CERTIFICATE
from services.seal.domain.timestamps.messages import message_imprint
from tests.unit.seal.sealing_room import NOW, pki, sm2, suites
from tests.unit.seal.stamping_room import p256, stamper, stamping_authority, timestamper, trust_of

STAMPED = b"a signature value"
POLICY = "1.3.6.1.4.1.99999.1"


class Forger:
    """An authority that answers as a test has it; sound unless told otherwise."""

    def __init__(self, **changed) -> None:
        self.credential = changed.pop("credential", None) or stamper()
        self.changed = changed
        self.serial = 100
        self.nonces: list[bytes] = []

    def __call__(self, query: bytes) -> bytes:
        asked = read_request(query, suites())
        self.nonces.append(asked.nonce)
        self.serial += self.changed.get("serial_step", 1)
        token = self.writer().token(
            self.changed.get("imprint", asked.imprint), self.serial,
            NOW + self.changed.get("late", timedelta()),
            nonce=self.changed.get("nonce", asked.nonce),
            with_certificate=self.changed.get("with_certificate", True),
        )  # fmt: skip
        return write_grant(self.changed.get("damage", lambda whole: whole)(token))

    def writer(self) -> TokenWriter:
        key = sm2().open_key(self.credential.private_key)
        return TokenWriter(sm2(), key, self.credential.certificate, POLICY, 1)


def asking(ask, clock=lambda: NOW) -> RfcTimestamper:
    return timestamper(ask, clock)


def refused(ask, why: str, code: str = "TIMESTAMP_WRONG") -> None:
    with pytest.raises(Fault, match=code) as raised:
        asking(ask).token(STAMPED)
    assert why in raised.value.en


def flipped(at: int):
    def damage(token: bytes) -> bytes:
        changed = bytearray(token)
        changed[at] ^= 1
        return bytes(changed)

    return damage


def test_a_sound_answer_is_used_as_it_came():
    token = asking(Forger()).token(STAMPED)
    result = judge_token(token, STAMPED, trust_of())
    assert (result.fault, result.trusted, result.serial) == ("", True, 101)


WRONG = {
    "over another value": (
        {"imprint": message_imprint(sm2().digest_oid, sm2().digest(b"other"))}, "imprint",
    ),
    "by another digest": (
        {"imprint": message_imprint(p256().digest_oid, hashlib.sha256(STAMPED).digest())}, "two digest methods",
    ),
    "replayed nonce": ({"nonce": der.write_integer(1)}, "nonce"),
    "no nonce": ({"nonce": b""}, "nonce"),
    "too late": ({"late": timedelta(minutes=2)}, "the time is not the present"),
    "too early": ({"late": -timedelta(minutes=2)}, "the time is not the present"),
    "certificate left out": ({"with_certificate": False}, "certificate"),
    "signature changed": ({"damage": flipped(-3)}, "signature"),
    "not a token": ({"damage": lambda _token: der.sequence(der.write_integer(1))}, "format"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_is_refused(name):
    changed, why = WRONG[name]
    refused(Forger(**changed), why)
    assert asking(Forger()).token(STAMPED)


PURPOSES = {
    "no purpose": SIGNER,
    "another purpose": Profile(frozenset({"digital_signature"}), extended_usages=(STATUS_LIST_SIGNING,)),
    "two purposes": Profile(
        frozenset({"digital_signature"}), extended_usages=(TIME_STAMPING, "1.3.6.1.5.5.7.3.3")
    ),
}


@pytest.mark.parametrize("name", PURPOSES)
def test_a_certificate_that_is_not_for_time_stamping_alone_is_refused(name):
    refused(Forger(credential=stamper(profile=PURPOSES[name])), "extKeyUsage")


@pytest.mark.parametrize("critical", [True, False])
def test_the_purpose_must_be_critical(critical):
    """RFC 3161 2.3; made with another library, since ours writes no such certificate."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 5, NOW - timedelta(1), NOW + timedelta(1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical)
        .add_extension(x509.KeyUsage(True, *(False,) * 8), critical=True)
        .sign(key, hashes.SHA256())
    )
    raw = made.public_bytes(Encoding.DER)
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    imprint = p256().digest(STAMPED)
    token = make_token(p256(), p256().open_key(private), raw, imprint, 3, NOW, POLICY)
    believed = TimestampTrust(suites(), [read_certificate(raw)], [])
    assert judge_token(token, STAMPED, believed).fault == ("" if critical else "extKeyUsage")


def test_a_key_that_may_not_sign_is_refused():
    profile = Profile(frozenset({"key_agreement"}), extended_usages=(TIME_STAMPING,))
    refused(Forger(credential=stamper(profile=profile)), "keyUsage")


def test_an_ended_certificate_is_refused():
    ca = read_certificate(pki().maker_ca.certificate)
    key = sm2().generate_key()
    ended = build_certificate(
        sm2(), sm2().open_key(pki().maker_ca.private_key), ca.subject_raw, build_name("x"),
        sm2().open_key(key).public_key, 2**126, ca.not_before, NOW - timedelta(days=1), TIME_STAMPER,
    )  # fmt: skip
    refused(Forger(credential=Credential(ended, key)), "validity")


def test_an_authority_that_nobody_here_trusts_is_refused():
    other = make_development_pki(sm2(), (), NOW - timedelta(days=10))
    refused(Forger(credential=stamper(room=other)), "not trusted")


def test_a_token_that_names_another_certificate_is_refused():
    """ESSCertIDv2 of another certificate: the one inside could have been exchanged (RFC 5816)."""
    mine, other = stamper(), stamper()

    def ask(query: bytes) -> bytes:
        asked = read_request(query, suites())
        writer = TokenWriter(sm2(), sm2().open_key(mine.private_key), mine.certificate, POLICY)
        writer._signing_certificate = TokenWriter(
            sm2(), sm2().open_key(other.private_key), other.certificate, POLICY
        )._signing_certificate
        return write_grant(writer.token(asked.imprint, 5, NOW, nonce=asked.nonce))

    refused(ask, "signingCertificate")


def test_a_token_without_the_name_of_its_certificate_is_refused():
    def ask(query: bytes) -> bytes:
        asked = read_request(query, suites())
        mine = stamper()
        writer = TokenWriter(sm2(), sm2().open_key(mine.private_key), mine.certificate, POLICY)
        name = der.write_oid(SIGNING_CERTIFICATE)
        writer._signing_certificate = writer._signing_certificate.replace(
            name, der.write_oid("1.2.840.113549.1.9.16.2.46")
        )
        return write_grant(writer.token(asked.imprint, 5, NOW, nonce=asked.nonce))

    refused(ask, "signingCertificate")


def test_a_serial_number_that_comes_again_is_refused():
    client = asking(Forger(serial_step=0))
    assert client.token(STAMPED)
    with pytest.raises(Fault, match="TIMESTAMP_WRONG") as raised:
        client.token(STAMPED)
    assert "serial" in raised.value.en


def test_a_time_that_goes_back_is_refused():
    forger = Forger()
    client = asking(forger)
    assert client.token(STAMPED)
    forger.changed["late"] = -timedelta(seconds=1)
    with pytest.raises(Fault, match="TIMESTAMP_WRONG") as raised:
        client.token(STAMPED)
    assert "goes back" in raised.value.en


def test_an_answer_kept_from_before_is_refused():
    forger, kept = Forger(), []

    def ask(query: bytes) -> bytes:
        kept.append(forger(query))
        return kept[0]

    client = asking(ask)
    assert client.token(STAMPED)
    with pytest.raises(Fault, match="TIMESTAMP_WRONG") as raised:
        client.token(STAMPED)
    assert "nonce" in raised.value.en


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", der.sequence(), der.sequence(der.sequence(der.write_integer(0))), b"\x30\x80\x00\x00"],
)
def test_bytes_that_are_no_answer_are_refused(answer):
    refused(lambda _query: answer, "")


def test_a_refusal_of_the_authority_counts_as_no_answer():
    with pytest.raises(Fault, match="TIMESTAMP_UNAVAILABLE"):
        asking(stamping_authority(lambda: NOW + timedelta(days=9_000)).answer).token(STAMPED)


def down(_query: bytes) -> bytes:
    raise PEER_UNAVAILABLE(peer="tsa")


def several(*asks) -> RfcTimestamper:
    places = [StampingPlace(str(number), ask) for number, ask in enumerate(asks)]
    return RfcTimestamper(sm2(), places, lambda _anew: trust_of(), lambda: NOW)


def test_the_next_authority_stands_in_for_one_that_is_down_or_wrong():
    assert several(down, Forger()).token(STAMPED)
    assert several(Forger(nonce=b""), Forger()).token(STAMPED)
    asked = Forger()
    assert several(Forger(), asked).token(STAMPED)
    assert asked.nonces == []


def test_the_reason_says_whether_nobody_answered_or_nobody_rightly():
    for asks, code in (
        ((down, down), "TIMESTAMP_UNAVAILABLE"),
        ((Forger(nonce=b""), down), "TIMESTAMP_WRONG"),
    ):
        with pytest.raises(Fault, match=code) as raised:
            several(*asks).token(STAMPED)
        assert raised.value.kind.name == "UNAVAILABLE"


def test_trust_is_looked_up_anew_before_an_authority_counts_as_unknown():
    looked = []

    def trust(anew: bool):
        looked.append(anew)
        known = trust_of()
        return known if anew else type(known)(known.suites, (), ())

    client = RfcTimestamper(sm2(), [StampingPlace("here", Forger())], trust, lambda: NOW)
    assert client.token(STAMPED)
    assert looked == [False, True]


def test_many_threads_get_tokens_of_their_own():
    client = asking(stamping_authority().answer)
    with ThreadPoolExecutor(8) as threads:
        tokens = list(threads.map(client.token, [STAMPED + bytes((n,)) for n in range(64)]))
    for number, token in enumerate(tokens):
        assert judge_token(token, STAMPED + bytes((number,)), trust_of()).fault == ""
