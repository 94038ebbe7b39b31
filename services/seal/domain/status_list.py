"""The signed list of seal states for verifiers without a network: like a CRL, but with each seal's whole history.

    SealStatusList ::= SEQUENCE { tbs TBSStatusList, certificate OCTET STRING, algorithm OID, signature BIT STRING }
    TBSStatusList  ::= SEQUENCE { mark IA5String ("TBSL"), version INTEGER (1), issuedAt GeneralizedTime,
                                  nextUpdate GeneralizedTime, seals SEQUENCE OF SealEntry }
    SealEntry      ::= SEQUENCE { sealId IA5String, SEQUENCE OF SEQUENCE { state IA5String, since GeneralizedTime } }

The signature covers the tbs element alone, as everywhere in GB/T 38540; seals and histories are in ascending order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Kind, declare
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
from services.seal.domain.verification.evidence import SKEW, Evidence, SealState

_MARK, _VERSION = "TBSL", 1
_MOST_SEALS = 2_000_000  # entries of one list, which comes from a configured place, not from a document
_STATES = frozenset(state.value for state in SealState) - {SealState.UNKNOWN.value}

STATUS_LIST_MALFORMED = declare(
    "SEAL_STATUS_LIST_MALFORMED",
    Kind.INVALID_ARGUMENT,
    "印章状态列表无法解析",
    "The seal status list cannot be read",
)
STATUS_LIST_UNTRUSTED = declare(
    "SEAL_STATUS_LIST_UNTRUSTED",
    Kind.FAILED_PRECONDITION,
    "印章状态列表不可信：{why}",
    "The seal status list is not to be trusted: {why}",
)
STATUS_LIST_STALE = declare(
    "SEAL_STATUS_LIST_STALE",
    Kind.FAILED_PRECONDITION,
    "印章状态列表已过期",
    "The seal status list is out of date",
)
History = Sequence[tuple[SealState, datetime]]


@dataclass(frozen=True, slots=True)
class SealStatusList:
    """A list as verified: what the register said of every seal when it was issued."""

    issued_at: datetime
    next_update: datetime
    histories: Mapping[str, tuple[tuple[SealState, datetime], ...]]

    def state_at(self, seal_id: str, at: datetime) -> SealState:
        """Return the state of the seal at a moment the list speaks of, else UNKNOWN; a `SealStatusLookup`."""
        if at > self.next_update:
            return SealState.UNKNOWN
        state = SealState.UNKNOWN
        for known, since in self.histories.get(seal_id, ()):
            if since <= at:
                state = known
        return state


def make_status_list(
    suite: Suite,
    key: SigningKey,
    certificate: bytes,
    issued_at: datetime,
    next_update: datetime,
    histories: Mapping[str, History],
) -> bytes:
    """Return the signed list; times are kept to whole seconds."""
    entries = []
    for seal_id, history in sorted(histories.items()):
        steps = [
            der.sequence(der.write_text(der.IA5_STRING, state.value), der.write_time(since))
            for state, since in sorted(history, key=lambda step: step[1])
        ]
        entries.append(der.sequence(der.write_text(der.IA5_STRING, seal_id), der.sequence(*steps)))
    tbs = der.sequence(
        der.write_text(der.IA5_STRING, _MARK),
        der.write_integer(_VERSION),
        der.write_time(issued_at),
        der.write_time(next_update),
        der.sequence(*entries),
    )
    return der.sequence(
        tbs, der.write_octets(certificate), der.write_oid(suite.signature_oid), der.write_bits(key.sign(tbs))
    )


def verify_status_list(data: bytes, evidence: Evidence) -> SealStatusList:
    """Return the list after its signature, its signer's path and purpose, and its age were checked.

    Raises:
        SEAL_STATUS_LIST_MALFORMED: Not one strict list.
        SEAL_STATUS_LIST_UNTRUSTED: The signature, path, purpose or revocation state of the signer is not sound.
        SEAL_STATUS_LIST_STALE: `evidence.now` is after the promised next update.
    """
    try:
        tbs, certificate, algorithm, signature = _exactly(der.children(der.read(data, der.SEQUENCE)), 4)
        parsed = _read(tbs)
        signer = read_certificate(der.octets(certificate))
        _refuse_untrusted(signer, parsed, evidence)
        suite = evidence.suites.by_signature(der.oid(algorithm))
        if suite is None or suite.curve_oid != signer.curve_oid:
            raise STATUS_LIST_UNTRUSTED(why="algorithm")
        if not suite.verify(signer.public_key, der.bits(signature), tbs.raw):
            raise STATUS_LIST_UNTRUSTED(why="signature")
    except (DerError, CertificateError):
        raise STATUS_LIST_MALFORMED() from None
    if parsed.next_update < evidence.now or parsed.issued_at > evidence.now + SKEW:
        raise STATUS_LIST_STALE()
    return parsed


def _refuse_untrusted(signer: Certificate, parsed: SealStatusList, evidence: Evidence) -> None:
    at = parsed.issued_at
    path = build_path(signer, evidence.pool, evidence.anchor_certificates, at, evidence.suites)
    if path.problem is not None:
        raise STATUS_LIST_UNTRUSTED(why=path.problem.value)
    if STATUS_LIST_SIGNING not in signer.extended_key_usage or not signer.may("digital_signature"):
        raise STATUS_LIST_UNTRUSTED(why="extKeyUsage")
    if not signer.valid_at(at):
        raise STATUS_LIST_UNTRUSTED(why="validity")
    answer = revocation_of(path.certificates, evidence.revocation_lists, evidence.suites, evidence.now)
    if answer.revoked_at is not None:
        raise STATUS_LIST_UNTRUSTED(why="revoked")


def _read(tbs: Tlv) -> SealStatusList:
    mark, version, issued_at, next_update, seals = _exactly(der.children(der.expect(tbs, der.SEQUENCE)), 5)
    if der.text(mark, der.IA5_STRING) != _MARK or der.integer(version) != _VERSION:
        raise DerError("not a seal status list")
    histories: dict[str, tuple[tuple[SealState, datetime], ...]] = {}
    for entry in der.children(der.expect(seals, der.SEQUENCE), _MOST_SEALS):
        name, steps = _exactly(der.children(entry), 2)
        seal_id = der.text(name, der.IA5_STRING)
        if seal_id in histories:
            raise DerError("a seal stands twice")
        histories[seal_id] = tuple(_step(step) for step in der.children(steps))
    return SealStatusList(der.time(issued_at), der.time(next_update), histories)


def _step(tlv: Tlv) -> tuple[SealState, datetime]:
    state, since = _exactly(der.children(tlv), 2)
    value = der.text(state, der.IA5_STRING)
    if value not in _STATES:
        raise DerError("an unknown state")
    return SealState(value), der.time(since)


def _exactly(parts: list[Tlv], count: int) -> list[Tlv]:
    if len(parts) != count:
        raise DerError(f"{len(parts)} elements where {count} are due")
    return parts
