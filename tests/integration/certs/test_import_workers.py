"""Rows prepared in processes of their own: the same as in this one, and a process that dies costs only time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from chassis.fields import FieldCipher
from chassis.keyring import LiveKeyring, new_keyring
from services.certs.app import read_catalogue
from services.certs.app.import_workers import ASIDE_FROM_ROWS, ImportWorkers
from services.certs.domain.importing.source import own_source
from services.certs.store import Vault
from services.certs.usecases.importing import Importer, PreparedRow
from tests.integration.certs.conftest import CATALOGUE, MARKET
from tests.load.licence_import import row_of
from tongban.certs.v1 import licence_pb2 as pb

NOW = datetime(2026, 3, 9, 2, tzinfo=UTC)
SOURCE = own_source(MARKET, "361103", "", keeps_county=False)
ROWS = [pb.ImportRow(row_number=n, fields=row_of(n)) for n in range(1, ASIDE_FROM_ROWS + 1)]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "field_keys.json"
    path.write_text(new_keyring(NOW))
    path.chmod(0o600)
    return path


def room(keys: Path, processes: int) -> tuple[ImportWorkers, Vault]:
    vault = Vault(FieldCipher(LiveKeyring(keys), service="certs"))
    return ImportWorkers(keys, vault, read_catalogue(CATALOGUE)[0], processes), vault


async def prepared(workers: ImportWorkers, rows: list[pb.ImportRow]) -> list[PreparedRow]:
    return await workers.prepare(
        Importer("c", SOURCE, SOURCE.source_id, 50), pb.ImportLicencesRequest(rows=rows), NOW
    )


def children() -> Iterator[psutil.Process]:
    for each in psutil.Process().children(recursive=True):
        if "spawn_main" in " ".join(each.cmdline()):
            yield each


def in_clear(vault: Vault, row: PreparedRow) -> tuple[object, ...]:
    assert row.stored is not None
    stored = row.stored._replace(subject=b"", face=b"", salt=b"", commitment="")
    return (
        row._replace(stored=stored),
        vault.open_subject(row.stored.subject),
        vault.open_face(row.stored.face),
    )


async def test_a_process_prepares_what_this_one_would_and_gives_no_clear_text_back(keys: Path) -> None:
    aside, vault = room(keys, 1)
    here, _ = room(keys, 0)
    stop = asyncio.Event()
    part = asyncio.create_task(aside.part().run(stop))
    found, expected = await prepared(aside, ROWS), await prepared(here, ROWS)
    assert [in_clear(vault, row) for row in found] == [in_clear(vault, row) for row in expected]
    assert ROWS[0].fields["CZZTDM"] not in repr(found[0])
    assert len(list(children())) == 1
    stop.set()
    await part
    for each in children():
        each.wait(10)
    assert not list(children())


async def test_few_rows_start_no_process(keys: Path) -> None:
    workers, _ = room(keys, 1)
    assert len(await prepared(workers, ROWS[:3])) == 3
    assert not list(children())


async def test_a_process_that_is_killed_costs_its_chunk_only_time(keys: Path) -> None:
    workers, _ = room(keys, 1)
    stop = asyncio.Event()
    part = asyncio.create_task(workers.part().run(stop))
    await prepared(workers, ROWS)
    for each in children():
        os.kill(each.pid, signal.SIGKILL)
    assert len(await prepared(workers, ROWS)) == len(ROWS)
    assert len(await prepared(workers, ROWS)) == len(ROWS)
    stop.set()
    await part


async def test_a_row_of_a_process_names_its_problems_by_their_reasons(keys: Path) -> None:
    workers, _ = room(keys, 1)
    stop = asyncio.Event()
    part = asyncio.create_task(workers.part().run(stop))
    broken = [pb.ImportRow(row_number=n, fields={"ZZBS": "x"}) for n in range(1, ASIDE_FROM_ROWS + 1)]
    found = await prepared(workers, broken)
    assert {each.reason.code for each in found[0].problems} >= {"FIELD_REQUIRED"}
    assert json.dumps([each.zh for each in found[0].problems])
    stop.set()
    await part
