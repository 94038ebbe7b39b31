"""What a backup is: whole or not there, ours or refused, closed to whoever made it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from chassis.errors import Fault
from chassis.roles import BACKUP_ROLE, dsn_for, provision, roles_of
from cli.operations.backing import back_up
from cli.operations.checking import check_backup, check_identity
from cli.operations.cut import connect, take_cut
from cli.operations.manifest import FILE, SIGNATURE, Manifest
from cli.operations.parts import make_identity, read_identity
from cli.operations.places import Places
from cli.operations.progress import silent
from cli.operations.restoring import restore
from cli.operations.shelf import UNFINISHED, read_shelf
from cli.operations.signing import keep_key_pair, sign
from cli.operations.tables import content_of, read_sequences
from tests.integration.operations.conftest import Drill, tongban
from tests.stacks.postgres import FreshDatabase, PostgresServer

pytestmark = [pytest.mark.promise("P15")]


def refusal(drill: Drill, backup: Path) -> str:
    with pytest.raises(Fault) as refused:
        check_backup(backup, drill.verifying_key, silent)
    return refused.value.code


def some_part(backup: Path) -> Path:
    return max(backup.glob("*.age"), key=lambda path: path.stat().st_size)


def test_a_backup_names_what_is_in_it_and_holds_nothing_readable(drill: Drill, manifest: Manifest) -> None:
    assert manifest.databases.keys() == {"intake", "certs", "seal", "notify", "bus"}
    assert manifest.databases["intake"].tables["service_case"].rows == 6
    assert manifest.databases["intake"].outbox["intake.case.v1"].unpublished == 0
    assert manifest.databases["bus"].offsets
    assert manifest.stores["certs/documents"].files >= 12
    assert drill.made["writers_held_seconds"] < 2
    for path in drill.backup.glob("*.age"):
        assert path.read_bytes().startswith(b"age-encryption.org/v1\n-> X25519 "), path.name


def test_a_changed_byte_is_refused(drill: Drill, tmp_path: Path) -> None:
    backup = drill.copy(tmp_path)
    path = some_part(backup)
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)
    assert refusal(drill, backup) == "BACKUP_TAMPERED"


def test_a_truncated_part_is_refused(drill: Drill, tmp_path: Path) -> None:
    backup = drill.copy(tmp_path)
    path = some_part(backup)
    os.truncate(path, path.stat().st_size - 1)
    assert refusal(drill, backup) == "BACKUP_TRUNCATED"


@pytest.mark.parametrize("name", [FILE, SIGNATURE, "seal.seal_use.copy.gz.age"])
def test_a_missing_file_is_refused_by_name(drill: Drill, tmp_path: Path, name: str) -> None:
    backup = drill.copy(tmp_path)
    (backup / name).unlink()
    with pytest.raises(Fault) as refused:
        check_backup(backup, drill.verifying_key, silent)
    assert refused.value.code == "BACKUP_INCOMPLETE"
    assert name in refused.value.en


def test_a_file_that_nobody_signed_is_refused(drill: Drill, tmp_path: Path) -> None:
    backup = drill.copy(tmp_path)
    (backup / "seal.extra.copy.gz.age").write_bytes(b"x")
    assert refusal(drill, backup) == "BACKUP_TAMPERED"


def test_a_manifest_that_was_changed_is_refused(drill: Drill, tmp_path: Path) -> None:
    backup = drill.copy(tmp_path)
    text = (backup / FILE).read_text().replace('"rows": 6', '"rows": 5', 1)
    (backup / FILE).write_text(text)
    assert refusal(drill, backup) == "BACKUP_SIGNATURE_WRONG"


def test_a_backup_signed_by_somebody_else_is_refused(drill: Drill, tmp_path: Path) -> None:
    backup = drill.copy(tmp_path)
    key, _ = keep_key_pair(tmp_path / "other")
    (backup / SIGNATURE).write_bytes(sign((backup / FILE).read_bytes(), key))
    assert refusal(drill, backup) == "BACKUP_SIGNATURE_WRONG"


def test_a_backup_of_another_format_is_refused(drill: Drill, tmp_path: Path) -> None:
    backup = drill.copy(tmp_path)
    data = (backup / FILE).read_bytes().replace(b'"format": 1', b'"format": 2', 1)
    (backup / FILE).write_bytes(data)
    (backup / SIGNATURE).write_bytes(sign(data, drill.layout.secrets("backup") / "signing_key.pem"))
    assert refusal(drill, backup) == "BACKUP_FOREIGN_VERSION"


def test_openssl_alone_can_check_the_signature(drill: Drill) -> None:
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(drill.verifying_key), "-rawin"]
    files = ["-in", str(drill.backup / FILE), "-sigfile", str(drill.backup / SIGNATURE)]
    subprocess.run([*command, *files], check=True, capture_output=True)


def test_another_identity_does_not_open_it(drill: Drill, manifest: Manifest, tmp_path: Path) -> None:
    make_identity(tmp_path / "other.key")
    with pytest.raises(Fault) as refused:
        check_identity(drill.backup, manifest, read_identity(tmp_path / "other.key"))
    assert refused.value.code == "BACKUP_IDENTITY_WRONG"


def test_the_list_tells_age_and_trust(drill: Drill, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shutil.copytree(drill.shelf, shelf)
    spoilt = shelf / "tongban-20200101T000000000000Z"
    shutil.copytree(drill.backup, spoilt)
    (spoilt / SIGNATURE).write_bytes(bytes(64))
    found = {each.name: each.refusal for each in read_shelf(shelf, drill.verifying_key)}
    assert found == {drill.backup.name: None, spoilt.name: "BACKUP_SIGNATURE_WRONG"}
    state = json.loads((shelf / "state.json").read_text())
    assert state["name"] == drill.backup.name
    assert "tongban_backup_last_success_timestamp_seconds" in (shelf / "tongban_backup.prom").read_text()


def test_a_backup_without_a_recipient_is_not_made(drill: Drill, tmp_path: Path) -> None:
    places = Places("postgresql://nowhere", "postgres", {}, signing_key=tmp_path / "none")
    with pytest.raises(Fault) as refused:
        asyncio.run(back_up(places, tmp_path, None, silent))
    assert refused.value.code == "BACKUP_RECIPIENT_MISSING"
    assert list(tmp_path.iterdir()) == []


def test_a_failed_backup_leaves_nothing(restored: Places, drill: Drill, tmp_path: Path) -> None:
    """A file that a licence names is gone: the backup says so and is not there."""
    document = next(path for path in restored.stores["certs/documents"].rglob("*") if path.is_file())
    hidden = document.rename(tmp_path / "hidden")
    places = Places(
        restored.server_dsn,
        "postgres",
        restored.stores,
        signing_key=drill.layout.secrets("backup") / "signing_key.pem",
    )
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    recipient = make_identity(tmp_path / "key")
    try:
        with pytest.raises(Fault) as refused:
            asyncio.run(back_up(places, shelf, recipient, silent))
    finally:
        hidden.rename(document)
    assert refused.value.code == "BACKUP_FILES_MISSING"
    assert document.name in refused.value.en
    assert list(shelf.iterdir()) == []
    assert not list(shelf.glob(f"{UNFINISHED}*"))


def test_a_restore_that_differs_names_it_and_undoes_all(
    restored: Places, drill: Drill, manifest: Manifest, tmp_path: Path
) -> None:
    """The target is not empty; then empty but for the manifest expecting one row more of one table."""
    identity = read_identity(drill.identity)
    with pytest.raises(Fault) as refused:
        asyncio.run(restore(drill.backup, manifest, identity, restored, silent))
    assert refused.value.code == "RESTORE_TARGET_NOT_EMPTY"
    certs = manifest.databases["certs"]
    wrong = certs.tables["licence"].model_copy(update={"rows": certs.tables["licence"].rows + 1})
    claimed = manifest.model_copy(
        update={
            "databases": manifest.databases
            | {"certs": certs.model_copy(update={"tables": certs.tables | {"licence": wrong}})}
        }
    )

    async def rehearse() -> tuple[Fault, int, list[Path]]:
        from cli.operations.targets import rehearsal

        async with rehearsal(claimed) as places:
            with pytest.raises(Fault) as differs:
                await restore(drill.backup, claimed, identity, places, silent)
            connection = await connect(places.server_dsn, "intake")
            left = await connection.fetchval("select count(*) from service_case")
            await connection.close()
            return differs.value, left, [each for each in places.stores.values() if each.exists()]

    fault, left, stores = asyncio.run(rehearse())
    assert fault.code == "RESTORE_DIFFERS"
    assert [each.field_path for each in fault.violations] == ["certs.licence"]
    assert (left, stores) == (0, [])


def test_after_a_restore_the_relays_take_any_kafka_for_a_new_one(drill: Drill, manifest: Manifest) -> None:
    """So the retained events go out again, whatever broker is found; who has seen them does nothing."""
    from cli.operations.targets import rehearsal

    databases = {name: each for name, each in manifest.databases.items() if name != "bus"}
    on_kafka = manifest.model_copy(update={"bus": "kafka", "databases": databases})

    async def rehearse() -> list[str]:
        async with rehearsal(on_kafka) as places:
            await restore(drill.backup, on_kafka, read_identity(drill.identity), places, silent)
            connection = await connect(places.server_dsn, "intake")
            known = await connection.fetch("select cluster_id from relay_state")
            await connection.close()
            return [row["cluster_id"] for row in known]

    assert asyncio.run(rehearse()) == [f"before {manifest.name}"]


async def test_the_cut_is_one_moment_over_all_databases(
    fresh_database: FreshDatabase, postgres_server: PostgresServer
) -> None:
    """A writer copies a counter from one database to the next: no cut may show the effect before the cause."""
    dsns = [await fresh_database(["create table t (n int primary key)"]) for _ in range(2)]
    first, second = [await asyncpg.connect(dsn) for dsn in dsns]
    names = [urlsplit(dsn).path[1:] for dsn in dsns]
    stop = asyncio.Event()

    async def write() -> int:
        count = 0
        while not stop.is_set():
            await first.execute("insert into t values ($1)", count)
            await second.execute("insert into t values ($1)", count)
            count += 1
        return count

    writer = asyncio.create_task(write())
    try:
        for _ in range(10):
            async with take_cut(postgres_server.admin_dsn, names[::-1]) as cut:
                await asyncio.sleep(0.05)
                rows = [
                    (await content_of(cut.snapshots[name].connection, cut.snapshots[name].tables[0])).rows
                    for name in names
                ]
            assert rows[0] - rows[1] in {0, 1}, rows
    finally:
        stop.set()
        assert await writer > 10
        await first.close()
        await second.close()


async def test_a_role_that_only_reads_and_maintains_may_take_the_cut(
    fresh_database: FreshDatabase, postgres_server: PostgresServer
) -> None:
    dsn = await fresh_database(["create table t (n int primary key)", "insert into t values (1)"])
    name = urlsplit(dsn).path[1:]
    admin = await asyncpg.connect(postgres_server.admin_dsn)
    await admin.execute("create role probe_backup login password 'probe'")
    try:
        await admin.execute("grant pg_read_all_data, pg_maintain to probe_backup")
        login = dsn_for(dsn, database=name, user="probe_backup", password="probe")
        async with take_cut(login, [name]) as cut:
            taken = cut.snapshots[name]
            assert await taken.connection.fetchval("select current_user") == "probe_backup"
            assert (await content_of(taken.connection, taken.tables[0])).rows == 1
    finally:
        await admin.execute("drop owned by probe_backup; drop role probe_backup")
        await admin.close()


async def test_the_backups_role_reads_and_holds_every_table_and_changes_none(
    postgres_server: PostgresServer,
) -> None:
    """Also tables that were there before the role, and those that a migration makes after it."""
    admin, names = postgres_server.admin_dsn, ("probe_kept", "probe_more")
    words = dict.fromkeys((BACKUP_ROLE, *(role for name in names for role in roles_of(name))), "w")

    def login(role: str, database: str = "postgres") -> str:
        return dsn_for(admin, database=database, user=role, password="w")

    async def make(statements: str) -> None:
        for name in names:
            owner = await connect(login(roles_of(name)[0], name), name)
            await owner.execute(statements)
            await owner.close()

    try:
        await provision(admin, names, {role: word for role, word in words.items() if role != BACKUP_ROLE})
        await make("create table before (n serial primary key); insert into before values (7)")
        await provision(admin, names, words)
        await make("create table after (n serial primary key)")
        async with take_cut(login(BACKUP_ROLE), names) as cut:
            for snapshot in cut.snapshots.values():
                assert await snapshot.connection.fetchval("select current_user") == BACKUP_ROLE
                rows = {
                    each.name: (await content_of(snapshot.connection, each)).rows for each in snapshot.tables
                }
                assert rows == {"before": 1, "after": 0}
                assert set(await read_sequences(snapshot.connection)) == {"before_n_seq", "after_n_seq"}
        reader = await connect(login(BACKUP_ROLE), names[0])
        for change in (
            "insert into before values (8)",
            "update before set n = 8",
            "delete from before",
            "truncate after",
            "drop table after",
            "create table mine (n int)",
            "select setval('before_n_seq', 9)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await reader.execute(change)
        await reader.close()
    finally:
        connection = await asyncpg.connect(admin)
        for name in names:
            await connection.execute(f"drop database if exists {name} with (force)")
        for role in words.keys() - {BACKUP_ROLE}:
            await connection.execute(f"drop role if exists {role}")
        await connection.close()


def test_a_dry_restore_by_the_command_proves_the_backup(drill: Drill) -> None:
    status, told = tongban(drill.home, "restore", str(drill.backup), "--verify")
    assert (status, told["outcome"]) == (0, "signature")
    status, told = tongban(
        drill.home, "restore", str(drill.backup), "--verify", "--identity", str(drill.identity)
    )
    assert (status, told["outcome"], told["rows"]) == (0, "rehearsed", drill.made["rows"])
