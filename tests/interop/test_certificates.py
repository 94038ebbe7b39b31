"""Certificates and revocation lists that we issue, judged by Bouncy Castle's PKIX and by the openssl command."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise

import pytest
from asn1crypto import pem

from services.seal.domain.certificates import Profile, build_path, read_certificate, read_crl, revocation_of
from services.seal.domain.certificates.building import CA, SIGNER
from services.seal.domain.pki import Credential, certify, make_crl, make_development_pki
from tests.interop.openssl import IDENTITY, openssl
from tests.interop.program import Program, Refused
from tests.unit.seal.sealing_room import AUTHORITY, NOW, crls, pki, signer, sm2, suites

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Path:
    """A certificate with the CAs above it, lowest first, the root last, and what is asked about it."""

    end: Credential
    cas: tuple[Credential, ...]
    good: bool
    at: datetime = NOW
    crls: tuple[bytes, ...] = field(default_factory=crls)


@lru_cache(maxsize=1)
def stranger() -> Credential:
    return pki().signers["玉山县消防救援大队"]


@lru_cache(maxsize=1)
def paths() -> dict[str, Path]:
    room = pki()
    signing, making = (room.signer_ca, room.root), (room.maker_ca, room.root)
    other = make_development_pki(sm2(), [AUTHORITY], NOW - 100 * DAY)
    gone = (*crls()[:2], make_crl(sm2(), room.signer_ca, {signer().certificate: NOW - DAY}, 3, NOW - DAY))
    child = certify(sm2(), stranger(), "无权签发", SIGNER, NOW - 50 * DAY, NOW + 50 * DAY)
    below = certify(sm2(), room.signer_ca, "下级CA", CA, NOW - 50 * DAY, NOW + 50 * DAY)
    short = certify(sm2(), room.signer_ca, AUTHORITY, SIGNER, NOW - 50 * DAY, NOW - DAY)
    forged = Credential(signer().certificate[:-1] + bytes([signer().certificate[-1] ^ 1]), b"")
    return {
        "a signer": Path(signer(), signing, good=True),
        "the maker": Path(room.maker, making, good=True),
        "the status key": Path(room.status, making, good=True),
        "before it was valid": Path(signer(), signing, good=False, at=NOW - 200 * DAY),
        "after it ended": Path(short, signing, good=False),
        "revoked": Path(signer(), signing, good=False, crls=gone),
        "issued by an end certificate": Path(child, (stranger(), *signing), good=False),
        "a CA below a CA": Path(below, signing, good=True),
        "of another root": Path(other.signers[AUTHORITY], signing, good=False),
        "with a changed signature": Path(forged, signing, good=False),
    }


NAMES = [
    "a signer", "the maker", "the status key", "before it was valid", "after it ended", "revoked",
    "issued by an end certificate", "a CA below a CA", "of another root", "with a changed signature",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_bouncy_castle_judges_the_path_as_we_do(java: Program, name):
    path = paths()[name]
    *asked, anchor = certificates(path)
    answer = java.ask("verify_certificate_path", path=asked, anchor=anchor, crls=list(path.crls), at=path.at)
    assert answer["good"] is path.good, answer
    assert judged_here(path) is path.good


@pytest.mark.parametrize("name", [name for name in NAMES if name != "revoked"])
def test_the_openssl_command_judges_the_path_as_we_do(tmp_path, name):
    """Link by link and without revocation: the command tells the signer's ID to the last certificate alone."""
    path = paths()[name]
    agreed, said = zip(
        *(linked(tmp_path, path.at, *link) for link in pairwise(certificates(path))), strict=True
    )
    assert all(agreed) is path.good, said


def linked(directory, at: datetime, child: bytes, issuer: bytes) -> tuple[bool, str]:
    return openssl(
        directory, "verify", "-x509_strict", "-partial_chain", "-vfyopt", IDENTITY, "-attime",
        str(int(at.timestamp())), "-trusted", "issuer", "child", issuer=armoured(issuer), child=armoured(child),
    )  # fmt: skip


def test_without_the_signers_id_openssl_refuses_our_certificates(tmp_path):
    ca, end = armoured(pki().signer_ca.certificate), armoured(signer().certificate)
    words = ("verify", "-partial_chain", "-attime", str(int(NOW.timestamp())), "-trusted", "ca", "end")
    agreed, said = openssl(tmp_path, *words, ca=ca, end=end)
    assert not agreed
    assert "error 7 " in said


@pytest.mark.parametrize("index", [0, 1, 2], ids=["root", "maker CA", "signer CA"])
def test_our_revocation_lists_are_read_and_verified_elsewhere(java: Program, tmp_path, index):
    room = pki()
    issuer = (room.root, room.maker_ca, room.signer_ca)[index]
    listed = certify(sm2(), issuer, "已吊销", SIGNER, NOW - 50 * DAY, NOW + 50 * DAY)
    data = make_crl(sm2(), issuer, {listed.certificate: NOW - DAY}, 7, NOW - DAY)
    serial = read_certificate(listed.certificate).serial
    found = java.ask("verify_crl", crl=data, issuer=issuer.certificate)
    assert found == {"issued_by": True, "serials": [f"{serial:x}"]}
    done, said = openssl(tmp_path, "crl", "-inform", "DER", "-in", "crl", "-noout", "-text", crl=data)
    assert done
    assert f"Serial Number: {serial:X}" in said
    with pytest.raises(Refused):
        java.ask("verify_crl", crl=data, issuer=stranger().certificate)
    parsed, key = read_crl(data), read_certificate(issuer.certificate).public_key
    agreed, said = openssl(
        tmp_path, "dgst", "-sm3", "-verify", "key", "-keyform", "DER", "-signature", "signature", "-sigopt", IDENTITY,
        "signed", key=key, signature=parsed.signature, signed=parsed.tbs_raw,
    )  # fmt: skip
    assert agreed, said


def test_the_openssl_command_reads_our_certificates(tmp_path):
    done, said = openssl(
        tmp_path, "x509", "-inform", "DER", "-in", "cert", "-noout", "-text", cert=signer().certificate
    )
    assert done
    assert "SM2-with-SM3" in said
    assert "CA:FALSE" in said


def test_a_key_may_not_sign_beyond_its_profile(java: Program):
    """An end certificate with keyCertSign but no CA flag issues nothing, for any judge."""
    usages = Profile(frozenset({"key_cert_sign"}))
    issuer = certify(sm2(), pki().signer_ca, "假CA", usages, NOW - 60 * DAY, NOW + 60 * DAY)
    child = certify(sm2(), issuer, AUTHORITY, SIGNER, NOW - 50 * DAY, NOW + 50 * DAY)
    path = Path(child, (issuer, pki().signer_ca, pki().root), good=False)
    *asked, anchor = certificates(path)
    answer = java.ask("verify_certificate_path", path=asked, anchor=anchor, crls=[], at=NOW)
    assert answer["good"] is False
    assert judged_here(path) is False


def judged_here(path: Path) -> bool:
    end, *between, root = (read_certificate(data) for data in certificates(path))
    found = build_path(end, between, [root], path.at, suites())
    said = revocation_of(found.certificates, [read_crl(data) for data in path.crls], suites(), path.at)
    return found.problem is None and end.valid_at(path.at) and said.known and said.revoked_at is None


def certificates(path: Path) -> list[bytes]:
    return [path.end.certificate, *(ca.certificate for ca in path.cas)]


def armoured(certificate: bytes) -> bytes:
    return pem.armor("CERTIFICATE", certificate)
