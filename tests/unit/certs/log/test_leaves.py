"""A leaf has one form for ever, and nothing personal in it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from services.certs.domain.licence import Licence
from services.certs.domain.log import (
    Leaf,
    holds_content,
    leaf_bytes,
    licence_leaf,
    usage_leaf,
    usage_leaf_text,
    use_code_leaf,
)
from services.certs.domain.log.leaf import LARGEST_INTEGER
from services.certs.domain.purpose import Basis, Purpose
from services.certs.domain.usage import Reader, Usage, UsageKind

NOW = datetime(2026, 3, 9, 2, tzinfo=UTC)
WORDS = st.from_regex(r"[A-Za-z0-9_.:/+=@-]{0,40}", fullmatch=True)
NAMES = st.from_regex(r"[a-z][a-z_]{0,20}", fullmatch=True)
FACTS = st.dictionaries(NAMES, st.one_of(WORDS, st.integers(-LARGEST_INTEGER, LARGEST_INTEGER)), max_size=8)


@given(NAMES, WORDS, FACTS, st.datetimes(timezones=st.just(UTC)))
def test_the_bytes_of_a_leaf_are_canonical_json(
    kind: str, licence_id: str, facts: dict[str, str | int], at: datetime
) -> None:
    found = leaf_bytes(Leaf(kind, licence_id, at, facts))
    assert found == rfc8785.dumps(json.loads(found))


def test_a_leaf_is_the_same_bytes_wherever_it_was_written() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=8)))
    one = leaf_bytes(Leaf("licence", "x", NOW, {"a": 1, "b": "c"}, b"salt"))
    assert one == leaf_bytes(Leaf("licence", "x", there, {"b": "c", "a": 1}))
    assert one == (
        b'{"at":"2026-03-09T02:00:00.000000Z","facts":{"a":1,"b":"c"},"form":1,"kind":"licence","licence_id":"x"}'
    )


@pytest.mark.parametrize("value", ["丰小玉", "two words", "a\nb", "x" * 161, 2**53, True, 1.5])
def test_what_could_be_a_name_or_has_no_one_form_is_no_fact(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        Leaf("licence", "x", NOW, {"fact": value})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="time without zone"):
        Leaf("licence", "x", NOW.replace(tzinfo=None), {})


def test_a_leaf_commits_to_the_whole_content_and_shows_none_of_it(licence: Licence) -> None:
    leaf = licence_leaf(licence, "make", NOW)
    text = leaf_bytes(leaf).decode()
    for holder in licence.holders:
        assert holder.name not in text
        assert holder.id_number not in text
    assert licence.identifier not in text
    assert leaf.salt.hex() not in text
    assert holds_content(leaf, licence)
    assert not holds_content(leaf, replace(licence, face={**licence.face, "KZ_OTHER": "x"}))
    assert not holds_content(leaf, replace(licence, number="other"))
    assert not holds_content(replace(leaf, salt=b""), licence), "nobody can prove it once the salt is gone"
    assert licence_leaf(licence, "make", NOW).facts["content"] != leaf.facts["content"], (
        "equal contents do not show"
    )


def test_a_use_is_named_by_id_and_bound_by_its_code() -> None:
    purpose = Purpose("张三申请食品许可", Basis.CONSENT, "item-1", "case-1")
    usage = Usage(
        "u1",
        UsageKind.CONSUME,
        Reader("dept", "市场监管局", True),
        purpose,
        NOW,
        licence_id="l1",
        use_code_id="c1",
    )
    leaf = usage_leaf(usage, b"\x01" * 32)
    assert dict(leaf.facts) == {
        "basis": "consent",
        "consumer": "dept",
        "mac": "01" * 32,
        "outcome": "allowed",
        "relied": 1,
        "usage_id": "u1",
        "use": "consume",
        "use_code_id": "c1",
    }
    found = replace(usage, kind=UsageKind.FIND)
    assert "relied" not in usage_leaf(found, b"\x01" * 32).facts, "nobody relies on what was only found"
    assert dict(use_code_leaf("l1", "c1", "issue", NOW).facts) == {"act": "issue", "use_code_id": "c1"}


USES = st.builds(
    Usage,
    WORDS,
    st.sampled_from(UsageKind),
    st.builds(Reader, WORDS, st.just("市场监管局"), st.booleans()),
    st.builds(
        Purpose,
        st.just("审查"),
        st.sampled_from([None, *Basis]),
        st.just("item-1"),
        st.sampled_from(["", "case-1"]),
    ),
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=8))]), min_value=datetime(2, 1, 1)),
    WORDS,
    licence_id=WORDS,
    use_code_id=st.sampled_from(["", "c1"]),
)


@given(USES, st.binary(min_size=32, max_size=32))
def test_the_leaf_of_a_use_is_written_as_any_leaf_is(usage: Usage, mac: bytes) -> None:
    assert usage_leaf_text(usage, mac).encode() == leaf_bytes(usage_leaf(usage, mac))


@pytest.mark.parametrize(
    "wrong", [{"usage_id": "丰小玉"}, {"licence_id": 'x","y":"'}, {"outcome": "two words"}]
)
def test_the_leaf_of_a_use_takes_no_more_than_any_leaf_does(wrong: dict[str, str]) -> None:
    usage = Usage("u1", UsageKind.FIND, Reader("d", "", True), Purpose("审查", Basis.CONSENT), NOW)
    with pytest.raises(ValueError, match="not the words of a leaf"):
        usage_leaf_text(replace(usage, **wrong), b"")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="time without zone"):
        usage_leaf_text(replace(usage, used_at=NOW.replace(tzinfo=None)), b"")
