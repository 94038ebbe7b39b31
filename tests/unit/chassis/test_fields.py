from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from chassis.fields import FieldCipher
from chassis.keyring import LiveKeyring, new_keyring, parse_keyring, read_keyring, with_new_key

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TEXT = new_keyring(NOW)
KEYRING = parse_keyring(TEXT)
SUITES = st.sampled_from(["sm4-gcm", "aes-256-gcm"])


@given(text=st.text(), suite=SUITES)
def test_what_is_encrypted_comes_back_and_never_looks_the_same(text: str, suite: str) -> None:
    cipher = FieldCipher(KEYRING, service="intake", suite=suite)
    first, second = (cipher.encrypt(text, field="person.name") for _ in range(2))
    assert first != second
    assert cipher.decrypt(first, field="person.name") == text
    assert len(text) < 4 or text.encode() not in first


@given(suite=SUITES, data=st.data())
def test_any_flipped_bit_is_refused(suite: str, data: st.DataObject) -> None:
    cipher = FieldCipher(KEYRING, service="intake", suite=suite)
    whole = bytearray(cipher.encrypt("11010519491231002X", field="person.id_number"))
    at = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[at // 8] ^= 1 << at % 8
    with pytest.raises(Fault, match=r"FIELD_UNREADABLE|KEYRING_KEY_UNKNOWN"):
        cipher.decrypt(bytes(whole), field="person.id_number")


@given(data=st.binary(max_size=80))
def test_arbitrary_bytes_are_a_typed_refusal(data: bytes) -> None:
    with pytest.raises(Fault, match=r"FIELD_UNREADABLE|KEYRING_KEY_UNKNOWN"):
        FieldCipher(KEYRING, service="intake").decrypt(data, field="f")


@given(cut=st.integers(0, 60))
def test_a_shortened_value_is_refused(cut: int) -> None:
    cipher = FieldCipher(KEYRING, service="intake")
    whole = cipher.encrypt("上饶市广丰区永丰街道", field="f")
    with pytest.raises(Fault, match=r"FIELD_UNREADABLE|KEYRING_KEY_UNKNOWN"):
        cipher.decrypt(whole[: min(cut, len(whole) - 1)], field="f")


def test_a_value_moved_to_another_field_or_service_is_refused() -> None:
    intake, certs = (FieldCipher(KEYRING, service=name) for name in ("intake", "certs"))
    value = intake.encrypt("王小明", field="person.name")
    with pytest.raises(Fault, match="FIELD_UNREADABLE"):
        intake.decrypt(value, field="person.address")
    with pytest.raises(Fault, match="FIELD_UNREADABLE"):
        certs.decrypt(value, field="person.name")


def test_an_index_finds_equal_texts_within_one_field_of_one_service_only() -> None:
    intake, certs = (FieldCipher(KEYRING, service=name) for name in ("intake", "certs"))
    index = intake.blind_index("11010519491231002X", field="id_number")
    assert len(index) == 32
    assert index == FieldCipher(KEYRING, service="intake").blind_index(
        "11010519491231002X", field="id_number"
    )
    assert index != intake.blind_index("11010519491231002X", field="agent_id_number")
    assert index != certs.blind_index("11010519491231002X", field="id_number")
    assert index != intake.blind_index("440524188001010014", field="id_number")


def test_rotation_reads_the_old_writes_the_new_and_says_what_to_rewrap() -> None:
    before = FieldCipher(KEYRING, service="intake")
    old = before.encrypt("王小明", field="f")
    turned = with_new_key(TEXT, NOW)
    after = FieldCipher(parse_keyring(turned), service="intake")
    assert after.decrypt(old, field="f") == "王小明"
    assert after.needs_rewrap(old)
    new = after.encrypt(after.decrypt(old, field="f"), field="f")
    assert not after.needs_rewrap(new)
    assert after.blind_index("x", field="f") == before.blind_index("x", field="f")
    with pytest.raises(Fault, match="KEYRING_KEY_UNKNOWN"):
        before.decrypt(new, field="f")


def test_a_change_of_suite_reads_both_and_asks_for_a_rewrap() -> None:
    old = FieldCipher(KEYRING, service="s", suite="aes-256-gcm").encrypt("x", field="f")
    now = FieldCipher(KEYRING, service="s", suite="sm4-gcm")
    assert now.decrypt(old, field="f") == "x"
    assert now.needs_rewrap(old)


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "[]",
        "{}",
        json.dumps({"active": "2026-1", "keys": {}, "index_key": "AAAA"}),
        TEXT.replace('"active": "2026-1"', '"active": "2027-1"'),
        TEXT.replace("2026-1", "latest"),
        TEXT.replace("=", ""),
    ],
)
def test_a_broken_keyring_is_refused_without_showing_it(broken: str) -> None:
    with pytest.raises(Fault) as caught:
        parse_keyring(broken)
    assert caught.value.code == "KEYRING_MALFORMED"
    assert all(len(value) < 60 for value in caught.value.metadata.values())


def test_a_missing_keyring_file_and_an_unknown_suite_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="KEYRING_MALFORMED"):
        read_keyring(tmp_path / "none.json")
    with pytest.raises(Fault, match="KEYRING_MALFORMED"):
        FieldCipher(KEYRING, service="s", suite="rot13")
    assert "index_key" not in repr(KEYRING)


def test_a_new_active_key_counts_for_the_next_value_of_a_field_already_written(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(TEXT)
    cipher = FieldCipher(LiveKeyring(path, look_every_seconds=0), service="intake")
    old = cipher.encrypt("王小明", field="f")
    path.with_suffix(".new").write_text(with_new_key(TEXT, NOW))
    path.with_suffix(".new").replace(path)
    new = cipher.encrypt("王小明", field="f")
    assert cipher.key_id_of(old) != cipher.key_id_of(new) == cipher.keyring.active
    assert cipher.decrypt(old, field="f") == cipher.decrypt(new, field="f") == "王小明"
