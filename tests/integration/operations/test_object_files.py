"""Files in an object store are in the backup as those of a directory are, and come back to either kind."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chassis.errors import Fault
from chassis.fields import FieldCipher
from chassis.files import DirectoryStore, KeptFiles
from chassis.keyring import new_keyring, parse_keyring
from chassis.object_files import open_files
from cli.operations import places, stores
from cli.operations.kept_files import Directory, Objects, Store
from cli.operations.part_reader import PartReader
from cli.operations.parts import PartWriter, make_identity, read_identity, reading, recipient
from cli.operations.stores import Kept
from tests.stacks.object_store import BUCKET, KEY_ID, SECRET_KEY, Server

NOW = datetime(2026, 1, 5, tzinfo=UTC)
CONTENTS = (b"", b"one", bytes(range(256)) * 4_096)


class Shelf:
    """One store's part of a backup."""

    def __init__(self, root: Path) -> None:
        self.root, self.key = root, root / "key"
        self.to = recipient(make_identity(self.key))

    def pack(self, store: Store) -> Kept:
        with (
            PartWriter(self.root, "a.age", self.to) as archive,
            PartWriter(self.root, "i.age", self.to) as index,
        ):
            kept = store.pack(archive, index)
        assert archive.part is not None
        assert index.part is not None
        self.archive, self.index = archive.part, index.part
        return kept

    def receive(self, store: Store) -> list[str]:
        """Return how what was received differs from the list."""
        identity = read_identity(self.key)
        with reading(self.root, self.archive, identity) as following:
            store.receive(PartReader(following))
        with reading(self.root, self.index, identity) as following:
            listed = PartReader(following).read().splitlines(keepends=True)
        return list(stores.differences(iter(listed), store.received()))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    (tmp_path / "shelf").mkdir()
    return Shelf(tmp_path / "shelf")


@pytest.fixture
def cipher() -> FieldCipher:
    return FieldCipher(parse_keyring(new_keyring(NOW)), service="certs")


def bucket(s3: Server, tmp_path: Path, name: str, cipher: FieldCipher | None = None) -> KeptFiles:
    return open_files(s3.settings(tmp_path, f"b/{tmp_path.name}/{name}"), "documents", cipher)


async def test_objects_are_restored_byte_for_byte_into_another_bucket_and_into_a_directory(
    s3: Server, tmp_path: Path, shelf: Shelf, cipher: FieldCipher
) -> None:
    source = bucket(s3, tmp_path, "before", cipher)
    keys = sorted([await source.put(content) for content in CONTENTS])
    packing = Objects(bucket(s3, tmp_path, "before"))
    kept = shelf.pack(packing)
    assert (kept.files, kept.field_keys) == (3, ("2026-1",))
    assert all(packing.holds(key) for key in keys)
    assert not packing.holds("0" * 64)
    after = Objects(bucket(s3, tmp_path, "after"))
    after.check_empty("certs/documents")
    assert shelf.receive(after) == []
    after.keep()
    await asyncio.to_thread(after.undo)
    again = bucket(s3, tmp_path, "after", cipher)
    assert sorted(again.keys()) == keys
    assert {await again.get(key) for key in keys} == set(CONTENTS)
    directory = Directory(tmp_path / "documents")
    assert shelf.receive(directory) == []
    directory.keep()
    here = DirectoryStore(tmp_path / "documents", cipher)
    assert {key: here.stored(key) for key in keys} == {key: again.stored(key) for key in keys}
    with pytest.raises(Fault, match="RESTORE_TARGET_NOT_EMPTY"):
        Objects(again).check_empty("certs/documents")


async def test_a_directorys_files_are_restored_into_a_bucket(
    s3: Server, tmp_path: Path, shelf: Shelf, cipher: FieldCipher
) -> None:
    source = DirectoryStore(tmp_path / "documents", cipher)
    keys = sorted([await source.put(content) for content in CONTENTS])
    assert shelf.pack(Directory(tmp_path / "documents")).field_keys == ("2026-1",)
    target = Objects(bucket(s3, tmp_path, "moved"))
    assert shelf.receive(target) == []
    target.keep()
    moved = bucket(s3, tmp_path, "moved", cipher)
    assert {await moved.get(key) for key in keys} == set(CONTENTS)


async def test_a_changed_object_is_named_and_an_undone_restore_leaves_nothing(
    s3: Server, tmp_path: Path, shelf: Shelf
) -> None:
    source = bucket(s3, tmp_path, "source")
    keys = [await source.put(content) for content in CONTENTS]
    shelf.pack(Objects(source))
    raw = bucket(s3, tmp_path, "target")
    target = Objects(raw)
    assert shelf.receive(target) == []
    raw.place(keys[1], b"other")
    identity = read_identity(shelf.key)
    with reading(shelf.root, shelf.index, identity) as following:
        listed = PartReader(following).read().splitlines(keepends=True)
    differing = list(stores.differences(iter(listed), target.received()))
    assert differing == [f"{keys[1][-2:]}/{keys[1][-4:-2]}/{keys[1]} changed"]
    await asyncio.to_thread(target.undo)
    assert list(raw.keys()) == []


async def test_an_object_store_that_does_not_answer_is_said(s3: Server, tmp_path: Path, shelf: Shelf) -> None:
    gone = s3.settings(tmp_path, "x").model_copy(update={"files_endpoint": "https://127.0.0.1:1"})
    with pytest.raises(Fault, match="FILE_STORE_FAILED"):
        shelf.pack(Objects(open_files(gone, "documents")))


def test_a_deployment_finds_its_buckets_by_the_settings_of_its_services(
    s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        "FILES": f"s3://{BUCKET}/county",
        "FILES_ENDPOINT": s3.endpoint,
        "FILES_KEY_ID": KEY_ID,
        "FILES_SECRET_KEY": SECRET_KEY,
    }
    assert places.object_stores() == {}
    for name, value in given.items():
        monkeypatch.setenv(f"TONGBAN_CERTS_{name}", value)
    assert sorted(places.object_stores()) == ["certs/documents"]
    for name, value in given.items():
        monkeypatch.setenv(f"TONGBAN_{name}", value)
    assert sorted(places.object_stores()) == ["certs/documents", "intake/files"]
    monkeypatch.setenv("TONGBAN_BACKUP_SERVER_DSN", "postgresql://nobody@nowhere/")
    monkeypatch.setenv("TONGBAN_BACKUP_STORES_DIR", str(tmp_path))
    monkeypatch.setenv("TONGBAN_SEAL_FIELD_KEYS", str(tmp_path / "seal.json"))
    found = places.deployment()
    assert isinstance(found.store("certs/documents"), Objects)
    assert isinstance(found.store("sealmaker/keystore"), Directory)
    assert found.keyrings == {"seal": tmp_path / "seal.json"}
