"""One suite for every file store: a directory, obstore's memory and directory, and a real S3 server over TLS."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from obstore.store import LocalStore, MemoryStore

from chassis.errors import Fault
from chassis.fields import FieldCipher
from chassis.files import DirectoryStore, KeptFiles
from chassis.keyring import new_keyring, parse_keyring, with_new_key
from chassis.object_files import ObjectFiles, open_files
from tests.stacks.object_store import CertsLike, Server

PERSONAL = b"11010519491231002X" * 10
KINDS = ("directory", "memory", "local", "s3")
NOW = datetime(2026, 1, 5, tzinfo=UTC)


Make = Callable[[FieldCipher | None], KeptFiles]


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Return how to open the one store of this test, again and again."""
    memory = MemoryStore()
    if request.param == "s3":
        server: Server = request.getfixturevalue("s3")
        settings = server.settings(
            tmp_path, f"t/{tmp_path.name}-{hashlib.sha256(request.node.name.encode()).hexdigest()}"
        )
        return lambda cipher: open_files(settings, "documents", cipher)
    if request.param == "memory":
        return lambda cipher: ObjectFiles(memory, cipher)
    if request.param == "local":
        return lambda cipher: ObjectFiles(LocalStore(tmp_path / "objects", mkdir=True), cipher)
    return lambda cipher: DirectoryStore(tmp_path / "objects", cipher)


def a_cipher() -> FieldCipher:
    return FieldCipher(parse_keyring(new_keyring(NOW)), service="certs")


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 4_096], ids=["empty", "one", "a megabyte"])
async def test_what_was_put_comes_back_under_its_digest_and_putting_again_changes_nothing(
    make: Make, data: bytes
) -> None:
    store = make(None)
    key = await store.put(data)
    assert key == hashlib.sha256(data).hexdigest() == await store.put(data)
    assert await make(None).get(key) == data
    assert list(store.keys()) == [key]


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "A" * 64, "0" * 64])
async def test_a_key_not_made_by_the_store_finds_nothing(make: Make, key: str) -> None:
    store = make(None)
    for ask in (store.stored, store.beginning):
        with pytest.raises(Fault, match="FILE_NOT_FOUND"):
            ask(key)
    with pytest.raises(Fault, match="FILE_NOT_FOUND"):
        await store.get(key)


async def test_a_removed_file_is_gone_and_removing_again_is_no_error(make: Make) -> None:
    store = make(None)
    key = await store.put(b"x")
    await store.remove(key)
    await store.remove(key)
    with pytest.raises(Fault, match="FILE_NOT_FOUND"):
        await store.get(key)
    assert list(store.keys()) == []


async def test_a_changed_file_is_found_out_and_put_again_mends_it(make: Make) -> None:
    store = make(None)
    key = await store.put(b"licence")
    store.rewrite(key, lambda _: b"another")
    with pytest.raises(Fault, match="FILE_BROKEN"):
        await store.get(key)
    await store.put(b"licence")
    assert await store.get(key) == b"licence"


async def test_nothing_personal_is_stored_in_clear_and_a_flipped_bit_is_found(make: Make) -> None:
    store = make(a_cipher())
    key = await store.put(PERSONAL)
    assert key == hashlib.sha256(PERSONAL).hexdigest() == await store.put(PERSONAL)
    assert await store.get(key) == PERSONAL
    sealed = store.stored(key)
    assert b"11010519491231002X" not in sealed
    assert sealed.startswith(store.beginning(key))
    store.rewrite(key, lambda old: old[:-1] + bytes([old[-1] ^ 1]))
    with pytest.raises(Fault, match="FILE_BROKEN"):
        await store.get(key)


async def test_a_file_moves_to_a_new_field_key_and_keeps_its_name(make: Make) -> None:
    old = new_keyring(NOW)
    first = FieldCipher(parse_keyring(old), service="certs")
    key = await make(first).put(PERSONAL)
    second = FieldCipher(parse_keyring(with_new_key(old, NOW)), service="certs")
    store = make(second)
    assert second.needs_rewrap(store.beginning(key))
    store.rewrap(key)
    assert not second.needs_rewrap(store.beginning(key))
    assert await store.get(key) == PERSONAL


async def test_what_a_change_refuses_changes_nothing_and_a_removed_file_does_not_come_back(
    make: Make,
) -> None:
    store = make(None)
    key = await store.put(b"x")

    def refuse(_: bytes) -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.rewrite(key, refuse)
    assert await store.get(key) == b"x"
    await store.remove(key)
    with pytest.raises(Fault, match="FILE_NOT_FOUND"):
        store.rewrite(key, lambda old: old)


async def test_an_oversized_file_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("chassis.files", "chassis.object_files"):
        monkeypatch.setattr(f"{module}.MAX_FILE_BYTES", 3)
    with pytest.raises(Fault, match="FILE_TOO_LARGE"):
        await make(None).put(b"four")


async def test_a_file_removed_while_it_is_rewrapped_stays_removed(s3: Server, tmp_path: Path) -> None:
    store = open_files(s3.settings(tmp_path, "removed"), "documents")
    key = await store.put(b"x")

    def removed_meanwhile(old: bytes) -> bytes:
        import obstore

        obstore.delete(s3.raw(), f"removed/certs/documents/{key[-2:]}/{key}")
        return old + b"y"

    with pytest.raises(Fault, match="FILE_NOT_FOUND"):
        store.rewrite(key, removed_meanwhile)
    assert list(store.keys()) == []


async def test_a_store_that_does_not_answer_or_is_not_trusted_is_unavailable_not_empty(
    s3: Server, tmp_path: Path
) -> None:
    gone = s3.settings(tmp_path, "x").model_copy(update={"files_endpoint": "https://127.0.0.1:1"})
    stranger = s3.settings(tmp_path, "x").model_copy(update={"files_authority": None})
    for settings in (gone, stranger):
        store = open_files(settings, "documents")
        with pytest.raises(Fault, match="FILE_STORE_FAILED"):
            await store.get("0" * 64)
        with pytest.raises(Fault, match="FILE_STORE_FAILED"):
            await store.put(b"x")


def test_an_object_store_without_its_keys_is_no_complete_setting(s3: Server, tmp_path: Path) -> None:
    given = s3.settings(tmp_path, "x").model_dump()
    with pytest.raises(Fault) as refused:
        CertsLike(**{**given, "files_key_id": None})
    assert [each.field_path for each in refused.value.violations] == ["TONGBAN_CERTS_FILES_KEY_ID"]
    with pytest.raises(Fault, match="SETTINGS_INCOMPLETE"):
        CertsLike(**{**given, "files_endpoint": "http://plain.example"})
