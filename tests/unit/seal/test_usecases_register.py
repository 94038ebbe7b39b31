"""Rules of the register and the ledger that need no database."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from services.seal.domain.ledger import Head, SealUse, UseEntry, follow, link, signature_id_of
from services.seal.domain.register import (
    Change,
    HistoryEntry,
    RegisteredSeal,
    SealStatus,
    due,
    for_verifiers,
    state_at,
    usable,
)
from services.seal.domain.verification import SealState

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
SEAL = RegisteredSeal(
    "36110300000001",
    "11361103TB1000011X",
    "章",
    b"certificate",
    NOW,
    NOW + timedelta(days=365),
    SealStatus.ACTIVE,
    NOW,
    3,
)


def change(status: SealStatus, second_person: str = "李四") -> Change:
    return Change(status, "原因", "张三", second_person)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 2_500_000)), min_size=1, max_size=12),
    st.integers(0, 999_999),
)
def test_a_signature_made_while_the_seal_was_active_always_lies_in_an_active_span(steps, offset):
    """Signatures state whole seconds, changes happen in between; whatever the order, none in time is lost."""
    seal, now = SEAL, NOW + timedelta(microseconds=offset)
    history = [HistoryEntry(3, SealStatus.ACTIVE, NOW, NOW, "r", "o")]
    signatures = []
    for signs, pause in steps:
        now += timedelta(microseconds=pause)
        if signs and seal.status is SealStatus.ACTIVE:
            signatures.append(now.replace(microsecond=0))
        else:
            wanted = SealStatus.SUSPENDED if seal.status is SealStatus.ACTIVE else SealStatus.ACTIVE
            seal, entry = seal.changed(change(wanted), now)
            history.append(entry)
    for signed_at in signatures:
        entry = state_at(history, signed_at)
        assert entry is not None
        assert entry.status is SealStatus.ACTIVE
    assert [each.since for each in history] == sorted(each.since for each in history)


@pytest.mark.parametrize("ended", [SealStatus.CANCELLED, SealStatus.REMADE])
def test_an_ended_seal_never_changes_again(ended: SealStatus):
    for status in SealStatus:
        with pytest.raises(Fault, match="SEAL_STATUS_STEP"):
            replace(SEAL, status=ended).changed(change(status), NOW)


def test_only_an_active_seal_seals_and_only_active_is_told_to_verifiers():
    for status in SealStatus:
        seals = [replace(SEAL, status=status)]
        if status is SealStatus.ACTIVE:
            assert usable(seals, NOW) is seals[0]
        else:
            with pytest.raises(Fault, match="SEAL_NOT_IN_USE"):
                usable(seals, NOW)
        assert (for_verifiers(status) is SealState.ACTIVE) == (status is SealStatus.ACTIVE)
    with pytest.raises(Fault, match="SEAL_NOT_MADE"):
        usable([], NOW)
    with pytest.raises(Fault, match="SEAL_EXPIRED"):
        usable([SEAL], NOW + timedelta(days=366))


def test_an_authority_is_due_a_seal_once_or_when_its_own_is_to_be_remade():
    assert due([])
    assert [status for status in SealStatus if due([replace(SEAL, status=status)])] == [SealStatus.REMADE]


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def chain(length: int) -> list[SealUse]:
    head, uses = Head(), []
    for number in range(length):
        licence = f"licence-{number}"
        entry = UseEntry(signature_id_of(licence), "s", licence, "c", "i", "sealed", "0", "1", "2", NOW)
        uses.append(link(head, entry, digest))
        head = Head(uses[-1].sequence, uses[-1].row_hash)
    return uses


@given(
    st.integers(0, 5),
    st.sampled_from(["seal_id", "licence_id", "case_id", "outcome", "document_sm3", "signature_sm3"]),
)
def test_a_change_of_any_recorded_value_breaks_the_chain_there(position: int, column: str):
    uses = chain(6)
    assert follow(Head(), uses, digest) == (Head(6, uses[-1].row_hash), None)
    uses[position] = replace(uses[position], entry=replace(uses[position].entry, **{column: "other"}))
    assert follow(Head(), uses, digest)[1] == position + 1


def test_a_row_taken_out_or_two_rows_swapped_break_the_chain():
    uses = chain(4)
    assert follow(Head(), [uses[0], *uses[2:]], digest)[1] == 2
    assert follow(Head(), [uses[1], uses[0], *uses[2:]], digest)[1] == 1


def test_one_licence_has_one_signature_id():
    assert signature_id_of("a") == signature_id_of("a") != signature_id_of("b")
