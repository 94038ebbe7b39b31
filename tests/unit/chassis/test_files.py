from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis import files
from chassis.errors import Fault
from chassis.fields import FieldCipher
from chassis.files import DirectoryStore
from chassis.keyring import new_keyring, parse_keyring


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(data=st.binary(max_size=2_000))
async def test_what_was_put_comes_back_under_a_name_of_its_content(tmp_path: Path, data: bytes) -> None:
    store = DirectoryStore(tmp_path)
    key = await store.put(data)
    assert await store.get(key) == data
    assert await store.put(data) == key


async def test_a_changed_file_is_found_out_and_put_again_mends_it(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    key = await store.put(b"licence")
    (tmp_path / key[-2:] / key[-4:-2] / key).write_bytes(b"another")
    with pytest.raises(Fault, match="FILE_BROKEN"):
        await store.get(key)
    await store.put(b"licence")
    assert await store.get(key) == b"licence"


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "A" * 64, "0" * 64])
async def test_a_key_not_made_by_the_store_finds_nothing(tmp_path: Path, key: str) -> None:
    with pytest.raises(Fault, match="FILE_NOT_FOUND"):
        await DirectoryStore(tmp_path).get(key)


async def test_a_removed_file_is_gone_and_removing_again_is_no_error(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    key = await store.put(b"x")
    await store.remove(key)
    await store.remove(key)
    with pytest.raises(Fault, match="FILE_NOT_FOUND"):
        await store.get(key)


async def test_a_write_that_breaks_off_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: int) -> None:
        raise OSError

    monkeypatch.setattr(files.os, "fsync", broken)
    with pytest.raises(Fault, match="FILE_STORE_FAILED"):
        await DirectoryStore(tmp_path).put(b"x")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_an_oversized_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 3)
    with pytest.raises(Fault, match="FILE_TOO_LARGE"):
        await DirectoryStore(tmp_path).put(b"four")


async def test_with_a_cipher_the_disk_holds_no_plaintext_and_a_flipped_bit_is_found(tmp_path: Path) -> None:
    cipher = FieldCipher(parse_keyring(new_keyring(datetime(2026, 1, 5, tzinfo=UTC))), service="certs")
    store = DirectoryStore(tmp_path, cipher)
    data = b"11010519491231002X" * 10
    key = await store.put(data)
    assert key == await store.put(data) == hashlib.sha256(data).hexdigest()
    assert await store.get(key) == data
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert b"11010519491231002X" not in file.read_bytes()
    broken = bytearray(file.read_bytes())
    broken[-1] ^= 1
    file.write_bytes(broken)
    with pytest.raises(Fault, match="FILE_BROKEN"):
        await store.get(key)
