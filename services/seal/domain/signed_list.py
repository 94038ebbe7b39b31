"""Lists that verifiers without a network rely on, as CRLs are relied on: one signed form, one key, several contents.

    SignedList ::= SEQUENCE { tbs TBSList, certificate OCTET STRING, algorithm OID, signature BIT STRING }
    TBSList    ::= SEQUENCE { mark IA5String, version INTEGER (1), issuedAt GeneralizedTime,
                              nextUpdate GeneralizedTime, entries SEQUENCE OF Entry }

The mark says which list it is, so that none passes for another. The signature covers the tbs element alone, as
everywhere in GB/T 38540.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from chassis.errors import Reason
from services.seal.domain import der
from services.seal.domain.certificates import (
    Certificate,
    CertificateError,
    build_path,
    read_certificate,
    revocation_of,
)  # fmt: skip
from services.seal.domain.der import DerError, Tlv
from services.seal.domain.pki import STATUS_LIST_SIGNING
from services.seal.domain.suite import SigningKey, Suite
from services.seal.domain.verification.evidence import SKEW, Evidence

T = TypeVar("T")
_VERSION = 1
_MOST_SEALS = 2_000_000  # entries of one list, which comes from a configured place, not from a document


@dataclass(frozen=True, slots=True)
class ListKind:
    """Which list it is, and the reasons why one of its kind is refused; `untrusted` says ``why``."""

    mark: str
    malformed: Reason
    untrusted: Reason
    stale: Reason


@dataclass(frozen=True, slots=True)
class ListSigner:
    """The key that signs lists, with its certificate as DER."""

    suite: Suite
    key: SigningKey
    certificate: bytes


@dataclass(frozen=True, slots=True)
class OpenedList:
    """A list that is to be believed, its entries not yet read."""

    issued_at: datetime
    next_update: datetime
    entries: tuple[Tlv, ...]


def sign_list(
    kind: ListKind, signer: ListSigner, issued_at: datetime, next_update: datetime, entries: Sequence[bytes]
) -> bytes:
    """Return the signed list of DER entries; times are kept to whole seconds."""
    tbs = der.sequence(
        der.write_text(der.IA5_STRING, kind.mark),
        der.write_integer(_VERSION),
        der.write_time(issued_at),
        der.write_time(next_update),
        der.sequence(*entries),
    )
    return der.sequence(
        tbs,
        der.write_octets(signer.certificate),
        der.write_oid(signer.suite.signature_oid),
        der.write_bits(signer.key.sign(tbs)),
    )


def open_list(kind: ListKind, data: bytes, evidence: Evidence) -> OpenedList:
    """Return the list after its signature, its signer's path and purpose, and its age were checked.

    Raises the reasons of its kind: not one strict list of it; the signature, path, purpose or revocation state of
    the signer is not sound; `evidence.now` is after the promised next update.
    """
    try:
        tbs, certificate, algorithm, signature = exactly(der.children(der.read(data, der.SEQUENCE)), 4)
        opened = _read(kind, tbs)
        signer = read_certificate(der.octets(certificate))
        _refuse_untrusted(kind, signer, opened.issued_at, evidence)
        suite = evidence.suites.by_signature(der.oid(algorithm))
        if suite is None or suite.curve_oid != signer.curve_oid:
            raise kind.untrusted(why="algorithm")
        if not suite.verify(signer.public_key, der.bits(signature), tbs.raw):
            raise kind.untrusted(why="signature")
    except (DerError, CertificateError):
        raise kind.malformed() from None
    if opened.next_update < evidence.now or opened.issued_at > evidence.now + SKEW:
        raise kind.stale()
    return opened


def by_seal(kind: ListKind, opened: OpenedList, read: Callable[[Tlv], tuple[str, T]]) -> dict[str, T]:
    """Return what the entries say by seal id; `read` may raise DerError. Raises the kind's reason `malformed`."""
    try:
        pairs = [read(entry) for entry in opened.entries]
    except DerError:
        raise kind.malformed() from None
    found = dict(pairs)
    if len(found) < len(pairs):  # a seal stands twice
        raise kind.malformed()
    return found


def _refuse_untrusted(kind: ListKind, signer: Certificate, at: datetime, evidence: Evidence) -> None:
    path = build_path(signer, evidence.pool, evidence.anchor_certificates, at, evidence.suites)
    if path.problem is not None:
        raise kind.untrusted(why=path.problem.value)
    if STATUS_LIST_SIGNING not in signer.extended_key_usage or not signer.may("digital_signature"):
        raise kind.untrusted(why="extKeyUsage")
    if not signer.valid_at(at):
        raise kind.untrusted(why="validity")
    answer = revocation_of(path.certificates, evidence.revocation_lists, evidence.suites, evidence.now)
    if answer.revoked_at is not None:
        raise kind.untrusted(why="revoked")


def _read(kind: ListKind, tbs: Tlv) -> OpenedList:
    mark, version, issued_at, next_update, entries = exactly(der.children(der.expect(tbs, der.SEQUENCE)), 5)
    if der.text(mark, der.IA5_STRING) != kind.mark or der.integer(version) != _VERSION:
        raise DerError("another list, or another version of it")
    found = der.children(der.expect(entries, der.SEQUENCE), _MOST_SEALS)
    return OpenedList(der.time(issued_at), der.time(next_update), tuple(found))


def exactly(parts: list[Tlv], count: int) -> list[Tlv]:
    """Return the elements if they are as many as are due. Raises DerError."""
    if len(parts) != count:
        raise DerError(f"{len(parts)} elements where {count} are due")
    return parts
