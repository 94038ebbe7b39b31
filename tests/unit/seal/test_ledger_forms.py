"""The ledger's two forms of rows in one chain: rows of the first keep the hash they ever had."""

from __future__ import annotations

import hashlib
import json
import string
from dataclasses import fields, replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from services.seal.domain.ledger import (
    GENESIS,
    Head,
    SealUse,
    UseDetail,
    UseEntry,
    follow,
    link,
    signature_id_of_request,
)

TEXT = st.text(string.ascii_letters + '公章",[]\\ |-0', max_size=12)
MOMENT = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
DETAIL = st.builds(
    UseDetail,
    **{
        each.name: st.integers(0, 10**6) if each.type == "int" else TEXT
        for each in fields(UseDetail)
    },
)  # fmt: skip
ENTRY = st.builds(
    UseEntry,
    **{each.name: TEXT for each in fields(UseEntry)[:9]},
    used_at=MOMENT,
    detail=st.none() | DETAIL,
)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def first_release(previous: bytes, sequence: int, entry: UseEntry) -> bytes:
    """The hash as the first release computed it, written down once more."""
    parts = [sequence, entry.signature_id, entry.seal_id, entry.licence_id, entry.case_id, entry.issuer_code,
             entry.outcome, entry.unsealed_sha256, entry.document_sm3, entry.signature_sm3,
             entry.used_at.isoformat(timespec="microseconds")]  # fmt: skip
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(previous + text.encode()).digest()


def chained(entries: list[UseEntry]) -> list[SealUse]:
    head, uses = Head(), []
    for entry in entries:
        uses.append(link(head, entry, sha256))
        head = Head(uses[-1].sequence, uses[-1].row_hash)
    return uses


@given(st.lists(ENTRY, max_size=8))
def test_a_row_of_the_first_form_keeps_its_hash_and_both_forms_make_one_chain(
    entries: list[UseEntry],
) -> None:
    uses, previous = chained(entries), GENESIS
    for use in uses:
        if use.entry.detail is None:
            assert use.row_hash == first_release(previous, use.sequence, use.entry)
        previous = use.row_hash
    assert follow(Head(), uses, sha256)[1] is None


@given(st.lists(ENTRY, min_size=1, max_size=6), st.data())
def test_whatever_is_changed_in_a_row_of_either_form_breaks_the_chain_there(
    entries: list[UseEntry], data: st.DataObject
) -> None:
    uses = chained(entries)
    at = data.draw(st.integers(0, len(uses) - 1))
    entry = uses[at].entry
    changes = [replace(entry, **{each.name: getattr(entry, each.name) + "x"}) for each in fields(entry)[:9]]
    if entry.detail is None:
        changes.append(replace(entry, detail=UseDetail("", "", "")))
    else:
        changes.append(replace(entry, detail=None))
        for each in fields(entry.detail):
            value = getattr(entry.detail, each.name)
            other = value + (1 if isinstance(value, int) else "x")
            changes.append(replace(entry, detail=replace(entry.detail, **{each.name: other})))
    altered = [*uses]
    altered[at] = replace(uses[at], entry=data.draw(st.sampled_from(changes)))
    assert follow(Head(), altered, sha256)[1] == at + 1


@given(st.tuples(TEXT, TEXT, TEXT), st.tuples(TEXT, TEXT, TEXT))
def test_each_request_and_item_of_each_caller_has_its_own_signature_id(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    alike = (one[0], one[1].lower(), one[2]) == (other[0], other[1].lower(), other[2])
    assert (signature_id_of_request(*one) == signature_id_of_request(*other)) is alike
