"""Forged, borrowed, expired and revoked parties; wrong keys in certificates; wrong timestamps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache

from services.seal.domain import der
from services.seal.domain.certificates import Profile, build_certificate, build_name, read_certificate
from services.seal.domain.certificates.building import SIGNER
from services.seal.domain.pki import TIME_STAMPING, Credential, certify, make_crl, make_development_pki
from services.seal.domain.structures import write_seal_info
from services.seal.domain.suite import ECDSA_WITH_SHA256, public_key_prefix
from services.seal.domain.timestamps import make_token
from services.seal.domain.verification import Evidence, SealState
from tests.unit.seal.negatives.forging import Case, abroad, always, edited, either, forge, fresh_seal, seal_of
from tests.unit.seal.sealing_room import AUTHORITY, NOW, crls, evidence, pki, seal_fields, signer, sm2, suites

DAY = timedelta(days=1)
ISSUED = NOW - 95 * DAY
TSA = Profile(frozenset({"digital_signature"}), extended_usages=(TIME_STAMPING,))
POLICY = "1.3.6.1.4.1.99999.1"


@lru_cache(maxsize=32)
def maker(
    profile: Profile = SIGNER, since: datetime = ISSUED, until: datetime = NOW + 900 * DAY
) -> Credential:
    return certify(sm2(), pki().maker_ca, "制章", profile, since, until)


@lru_cache(maxsize=32)
def user(
    profile: Profile = SIGNER, since: datetime = ISSUED, until: datetime = NOW + 900 * DAY
) -> Credential:
    return certify(sm2(), pki().signer_ca, AUTHORITY, profile, since, until)


def made_by(one: Credential) -> dict[str, object]:
    return {"seal": seal_of(maker=one)}


def used_by(one: Credential) -> dict[str, object]:
    return {"seal": seal_of(seal_fields(certificates=(one.certificate,))), "who": one}


def with_fields(**fields: object) -> Callable[[], dict[str, object]]:
    return lambda: {"seal": seal_of(seal_fields(**fields))}


def _maker(name: str, reason: str, bad: Callable[[], Credential], check: str = "maker_chain") -> Case:
    return Case(
        f"maker: {name}", check, reason, either(lambda: made_by(bad()), lambda: made_by(maker())), abroad
    )


def _user(name: str, reason: str, bad: Callable[[], Credential], check: str = "signer_chain") -> Case:
    return Case(f"signer: {name}", check, reason, either(lambda: used_by(bad()), lambda: used_by(user())))


@lru_cache(maxsize=1)
def below_no_ca() -> Credential:
    """A maker certified by an end user's certificate."""
    return certify(sm2(), maker(), "下级制章", SIGNER, ISSUED, NOW + DAY)


def knows_no_ca() -> Evidence:
    return evidence(intermediates=(*pki().intermediates, maker().certificate), own_makers=frozenset())


@lru_cache(maxsize=8)
def odd_certificate(
    public_key: bytes | None = None, edit: Callable[[bytes], bytes] | None = None
) -> Credential:
    """A signer's certificate of the real CA over a given key, or with its bytes edited and signed again."""
    private = sm2().generate_key()
    ca, key = read_certificate(pki().signer_ca.certificate), sm2().open_key(pki().signer_ca.private_key)
    own = sm2().open_key(private).public_key
    certificate = build_certificate(
        sm2(),
        key,
        ca.subject_raw,
        build_name(AUTHORITY),
        public_key or own,
        1 << 100,
        ISSUED,
        NOW + DAY,
        SIGNER,
    )
    if edit is not None:
        certificate = edited((1,), edit)(edited((0, 2), edit)(certificate))
        tbs = der.children(der.read(certificate))[0].raw
        certificate = edited((2,), always(der.write_bits(key.sign(tbs))))(certificate)
    return Credential(certificate, private)


def with_null_parameters(algorithm: bytes) -> bytes:
    return der.sequence(der.read(algorithm).body, b"\x05\x00")


def point(*coordinates: int) -> bytes:
    return public_key_prefix(sm2().curve_oid) + b"".join(each.to_bytes(32, "big") for each in coordinates)


def compressed() -> bytes:
    """The user's own key in compressed form, which many libraries accept."""
    head = der.sequence(der.write_oid("1.2.840.10045.2.1"), der.write_oid(sm2().curve_oid))
    key = sm2().open_key(user().private_key).public_key[-64:]
    return der.sequence(head, der.write_bits(bytes([2 + (key[-1] & 1)]) + key[:32]))


def infinity() -> bytes:
    head = der.sequence(der.write_oid("1.2.840.10045.2.1"), der.write_oid(sm2().curve_oid))
    return der.sequence(head, der.write_bits(b"\0"))


def p256() -> bytes:
    suite = suites().by_signature(ECDSA_WITH_SHA256)
    assert suite is not None
    return suite.open_key(suite.generate_key()).public_key


def holding(public_key: bytes) -> Credential:
    return Credential(odd_certificate(public_key).certificate, user().private_key)


def impostor() -> Credential:
    """A maker whose certificate names the real CA and its key, signed by another."""

    class Impostor:
        public_key = sm2().open_key(pki().maker_ca.private_key).public_key
        sign = staticmethod(sm2().open_key(sm2().generate_key()).sign)

    private = sm2().generate_key()
    ca = read_certificate(pki().maker_ca.certificate)
    certificate = build_certificate(
        sm2(), Impostor(), ca.subject_raw, build_name("假制章系统"), sm2().open_key(private).public_key, 1 << 100,
        ISSUED, NOW + DAY, SIGNER,
    )  # fmt: skip
    return Credential(certificate, private)


def mallory(bad: bool) -> bytes:
    """Keep the maker's certificate, and sign the seal with another key."""
    info = write_seal_info(seal_fields())
    other = make_development_pki(sm2(), [AUTHORITY], NOW - 200 * DAY).maker if bad else pki().maker
    return forge(seal=fresh_seal(info, Credential(pki().maker.certificate, other.private_key)))


def revoked(name: str, certificate: Callable[[], bytes], at: datetime) -> Callable[[], Evidence]:
    def known() -> Evidence:
        issuers = ("root", "maker_ca", "signer_ca")
        lists = (
            make_crl(sm2(), getattr(pki(), each), {certificate(): at} if each == name else {}, 3, NOW)
            for each in issuers
        )
        return evidence(crls=tuple(lists))

    return known


def state(of: SealState) -> Callable[[], Evidence]:
    return lambda: evidence(seal_status=lambda *_: of)


@lru_cache(maxsize=8)
def authority(profile: Profile = TSA, until: datetime = NOW + 900 * DAY) -> Credential:
    return certify(sm2(), pki().signer_ca, "时间戳", profile, NOW - 50 * DAY, until)


def stamped(
    one: Callable[[], Credential] = authority, at: datetime = NOW, over: bytes | None = None
) -> Callable[[bytes], bytes]:
    def token(signature: bytes) -> bytes:
        key, imprint = sm2().open_key(one().private_key), sm2().digest(over or signature)
        return make_token(sm2(), key, one().certificate, imprint, 7, at, POLICY, 99)

    return token


def broken(signature: bytes) -> bytes:
    token = bytearray(stamped()(signature))
    token[-5] ^= 1
    return bytes(token)


def _stamp(name: str, token: Callable[[bytes], bytes]) -> Case:
    return Case(
        f"timestamp: {name}",
        "timestamp",
        "TIMESTAMP",
        either(lambda: {"token": token}, lambda: {"token": stamped()}),
    )


def _known(
    name: str, check: str, reason: str, known: Callable[[], Evidence], result: str = "invalid"
) -> Case:
    """The document is sound; what else is known of it is not, so its twin is judged without that."""
    return Case(name, check, reason, lambda _bad: forge(), known, result, is_evidence=True)


CASES = [
    Case("seal used after its end", "seal_validity", "SEAL_VALIDITY", either(with_fields(valid_until=NOW - DAY), with_fields())),
    Case("seal used before its start", "seal_validity", "SEAL_VALIDITY", either(with_fields(valid_from=NOW + DAY), with_fields())),
    Case("seal whose end lies before its start", "seal_validity", "SEAL_VALIDITY",
         either(with_fields(valid_from=NOW + DAY, valid_until=NOW - DAY), with_fields())),
    Case("seal used before it was made", "seal_validity", "SEAL_VALIDITY",
         either(with_fields(created_at=NOW + timedelta(minutes=1)), with_fields())),
    Case("seal signed by another key than its maker's", "seal_signature", "SEAL_SIGNATURE", mallory),
    _maker("may not sign", "MAKER_CERT", lambda: maker(Profile(frozenset({"key_encipherment"})))),
    _maker("is a time-stamping authority", "MAKER_CERT", lambda: maker(Profile(SIGNER.usages, extended_usages=(TIME_STAMPING,)))),
    _maker("had expired when it made the seal", "MAKER_EXPIRED", lambda: maker(since=NOW - 99 * DAY, until=NOW - 95 * DAY)),
    _maker("was not yet certified when it made the seal", "MAKER_EXPIRED", lambda: maker(since=NOW - 80 * DAY)),
    _maker("borrows a CA's name and key id", "MAKER_CERT", impostor),
    Case("maker: below a certificate that is no CA", "maker_chain", "MAKER_CERT",
         either(lambda: made_by(below_no_ca()), lambda: made_by(maker())), knows_no_ca),
    _user("may not sign", "SIGNER_CERT", lambda: user(Profile(frozenset({"key_encipherment"})))),
    _user("is a time-stamping authority", "SIGNER_CERT", lambda: user(TSA)),
    _user("had expired", "SIGNER_EXPIRED", lambda: user(until=NOW - DAY)),
    _user("was not yet certified", "SIGNER_EXPIRED", lambda: user(since=NOW + DAY)),
    _user("has an algorithm with NULL parameters", "SIGNER_CERT", lambda: odd_certificate(None, with_null_parameters)),
    _user("has a point off the curve", "SIGNATURE", lambda: holding(point(1, 1)), "signature"),
    _user("has a point of zeros", "SIGNATURE", lambda: holding(point(0, 0)), "signature"),
    _user("has the key in compressed form", "SIGNATURE", lambda: holding(compressed()), "signature"),
    _user("has the point at infinity", "SIGNATURE", lambda: holding(infinity()), "signature"),
    _user("has a P-256 key", "ALGORITHM_MISMATCH", lambda: holding(p256()), "signature"),
    _known("a seal suspended then", "seal_status", "SEAL_NOT_ACTIVE", state(SealState.SUSPENDED)),
    _known("a seal revoked then", "seal_status", "SEAL_NOT_ACTIVE", state(SealState.REVOKED)),
    _known("a seal cancelled then", "seal_status", "SEAL_NOT_ACTIVE", state(SealState.CANCELLED)),
    _known("a seal nobody knows", "seal_status", "SEAL_STATUS", state(SealState.UNKNOWN), "indeterminate"),
    _known("a signer revoked before", "revocation", "REVOKED", revoked("signer_ca", lambda: signer().certificate, NOW - DAY)),
    _known("a maker revoked before", "revocation", "REVOKED", revoked("maker_ca", lambda: pki().maker.certificate, NOW - 95 * DAY)),
    _known("a CA revoked before", "revocation", "REVOKED", revoked("root", lambda: pki().signer_ca.certificate, NOW - DAY)),
    _known("revocation lists of one CA missing", "revocation", "REVOCATION", lambda: evidence(crls=crls()[:2]), "indeterminate"),
    _known("fewer signatures than the register has", "container", "SIGNATURES_REMOVED", lambda: evidence(expected_signatures=2)),
    _stamp("over another value", stamped(over=b"another signature")),
    _stamp("by a certificate without the purpose", stamped(lambda: authority(SIGNER))),
    _stamp("long before the sealing", stamped(at=NOW - DAY)),
    _stamp("from the future", stamped(at=NOW + DAY)),
    _stamp("by an expired authority", stamped(lambda: authority(until=NOW - DAY))),
    _stamp("with a changed byte", broken),
    _stamp("that is rubbish", lambda _signature: b"rubbish"),
]  # fmt: skip
