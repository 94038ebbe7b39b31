"""Certificates and time stamps signed with RSA, which no suite of ours verifies: open, and the cause is named."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from chassis.errors import Fault
from services.seal.clients.timestamps import RfcTimestamper, StampingPlace
from services.seal.domain import der
from services.seal.domain.certificates import Certificate, PathProblem, build_path, read_certificate
from services.seal.domain.sealing import seal_document
from services.seal.domain.timestamps import judge_token
from tests.unit.seal.negatives.forging import forge, seal_of
from tests.unit.seal.sealing_room import (
    NOW,
    PLACE,
    judge,
    ofd_files,
    p256,
    pack,
    seal_fields,
    seal_in_use,
    suites,
)
from tests.unit.seal.stamping_room import trust_of

RSA_WITH_SHA256 = "1.2.840.113549.1.1.11"
_CONFIGURATION = """
[tsa]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sm3
ess_cert_id_alg = sha256
"""


@pytest.fixture(scope="module")
def rsa_authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a time-stamping authority of OpenSSL's with an RSA key."""
    home = tmp_path_factory.mktemp("tsa")
    (home / "tsa.conf").write_text(_CONFIGURATION)
    run(
        home, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.pem", "-days", "30",
        "-subj", "/CN=tsa", "-addext", "extendedKeyUsage=critical,timeStamping",
        "-addext", "keyUsage=critical,digitalSignature",
    )  # fmt: skip
    return home


def run(home: Path, *words: str) -> None:
    done = subprocess.run(["openssl", *words], cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def answer(home: Path, query: bytes) -> bytes:
    (home / "query").write_bytes(query)
    run(
        home, "ts", "-reply", "-config", "tsa.conf", "-section", "tsa", "-queryfile", "query", "-out", "reply"
    )
    return (home / "reply").read_bytes()


def stamp(home: Path, stamped: bytes, digest: str = "sha256") -> bytes:
    """Return a response of the RSA authority over a value."""
    (home / "stamped").write_bytes(stamped)
    run(home, "ts", "-query", "-data", "stamped", f"-{digest}", "-cert", "-out", "asked")
    return answer(home, (home / "asked").read_bytes())


def test_an_rsa_token_is_neither_trusted_nor_called_wrong(rsa_authority: Path) -> None:
    result = judge_token(stamp(rsa_authority, b"a signature value"), b"a signature value", trust_of())
    assert (result.fault, result.trusted) == ("", False)
    assert result.unknown_algorithm.startswith("1.2.840.113549.1.1.")


def test_a_document_with_an_rsa_token_is_open_and_says_why(rsa_authority: Path) -> None:
    def timestamp(signature: bytes) -> bytes:
        return stamp(rsa_authority, signature, "sm3")

    document = seal_document(pack(ofd_files()), seal_in_use(), [PLACE], NOW, timestamp=timestamp)
    outcome = judge(document.data)
    assert (outcome.verdict, outcome.failed()) == ("INDETERMINATE", {})
    assert outcome.unsettled() == {"timestamp": "TIMESTAMP_SUITE"}


def test_an_rsa_authority_is_not_taken_for_our_own_seals(rsa_authority: Path) -> None:
    place = StampingPlace("abroad", lambda query: answer(rsa_authority, query))
    stamper = RfcTimestamper(p256(), [place], lambda _anew: trust_of(), lambda: NOW)
    with pytest.raises(Fault, match="TIMESTAMP_WRONG") as told:
        stamper.token(b"a signature value")
    assert "not built in" in told.value.metadata["why"]


Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def certified(name: str, key: Key, issuer: str, by: Key, *, ca: bool) -> Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    usage = x509.KeyUsage(
        digital_signature=not ca, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=ca, crl_sign=ca, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    made = (
        x509.CertificateBuilder().subject_name(named(name)).issuer_name(named(issuer)).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(NOW - timedelta(days=9))
        .not_valid_after(NOW + timedelta(days=9)).add_extension(usage, critical=True)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True).sign(by, hashes.SHA256())
    )  # fmt: skip
    return read_certificate(made.public_bytes(Encoding.DER))


def test_a_chain_through_rsa_stays_open_wherever_the_rsa_stands() -> None:
    above, between, end = (
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )
    root = certified("root", above, "root", above, ca=True)
    direct = certified("direct", end, "root", above, ca=False)
    middle = certified("middle", between, "root", above, ca=True)
    leaf = certified("leaf", end, "middle", between, ca=False)
    other = certified("other", between, "other", between, ca=True)
    assert (root.curve_oid, root.algorithm) == ("", RSA_WITH_SHA256)
    for start in (direct, leaf):
        path = build_path(start, [middle], [root], NOW, suites())
        assert path.problem is PathProblem.SUITE
        assert path.problem.open_question
    assert build_path(direct, [], [other], NOW, suites()).problem is PathProblem.SUITE
    assert build_path(leaf, [], [other], NOW, suites()).problem is PathProblem.NO_PATH
    assert build_path(leaf, [], [middle], NOW, suites()).problem is None


def test_a_signature_that_does_not_verify_stays_wrong_beside_rsa() -> None:
    true, false, end = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    root = certified("root", true, "root", true, ca=True)
    forged = certified("leaf", end, "root", false, ca=False)
    assert build_path(forged, [], [root], NOW, suites()).problem is PathProblem.SIGNATURE


def test_a_seal_used_with_an_rsa_certificate_is_open_and_says_why() -> None:
    key = rsa.generate_private_key(65537, 2048)
    certificate = certified("signer", key, "root", key, ca=False).raw

    def value(old: bytes) -> bytes:
        signed, _, _, signature = (each.raw for each in der.children(der.read(old)))
        return der.sequence(signed, der.write_octets(certificate), der.write_oid(RSA_WITH_SHA256), signature)

    outcome = judge(forge(seal=seal_of(seal_fields(certificates=(certificate,))), value=value))
    assert (outcome.verdict, outcome.failed()) == ("INDETERMINATE", {})
    assert outcome.unsettled() == {
        "digests": "NOT_RUN",
        "signature": "SUITE",
        "signer_chain": "CERTIFICATE_SUITE",
        "revocation": "REVOCATION",
    }
