"""The signed list of seal states for verifiers without a network: like a CRL, but with each seal's whole history.

A list in the form of `signed_list`, marked "TBSL"; seals and histories are in ascending order:

    SealEntry ::= SEQUENCE { sealId IA5String, SEQUENCE OF SEQUENCE { state IA5String, since GeneralizedTime } }
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Kind, declare
from services.seal.domain import der
from services.seal.domain.der import DerError, Tlv
from services.seal.domain.signed_list import ListKind, ListSigner, by_seal, exactly, open_list, sign_list
from services.seal.domain.suite import SigningKey, Suite
from services.seal.domain.verification.evidence import Evidence, SealState

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
_KIND = ListKind("TBSL", STATUS_LIST_MALFORMED, STATUS_LIST_UNTRUSTED, STATUS_LIST_STALE)
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
    return sign_list(_KIND, ListSigner(suite, key, certificate), issued_at, next_update, entries)


def verify_status_list(data: bytes, evidence: Evidence) -> SealStatusList:
    """Return the list after its signature, its signer's path and purpose, and its age were checked.

    Raises:
        SEAL_STATUS_LIST_MALFORMED: Not one strict list.
        SEAL_STATUS_LIST_UNTRUSTED: The signature, path, purpose or revocation state of the signer is not sound.
        SEAL_STATUS_LIST_STALE: `evidence.now` is after the promised next update.
    """
    opened = open_list(_KIND, data, evidence)
    return SealStatusList(opened.issued_at, opened.next_update, by_seal(_KIND, opened, _entry))


def _entry(tlv: Tlv) -> tuple[str, tuple[tuple[SealState, datetime], ...]]:
    name, steps = exactly(der.children(tlv), 2)
    return der.text(name, der.IA5_STRING), tuple(_step(step) for step in der.children(steps))


def _step(tlv: Tlv) -> tuple[SealState, datetime]:
    state, since = exactly(der.children(tlv), 2)
    value = der.text(state, der.IA5_STRING)
    if value not in _STATES:
        raise DerError("an unknown state")
    return SealState(value), der.time(since)
