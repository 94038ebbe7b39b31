"""The drill of promise P15: the data is destroyed, the backup restored, and the work goes on."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chassis.clock import system_clock
from cli.local.state import read_state
from cli.operations.cut import connect
from cli.operations.manifest import Manifest
from cli.operations.places import local
from cli.operations.tables import Content, content_of, read_tables
from tests.integration.operations.conftest import Drill, tongban
from tests.stacks.applicants import carry_through, case_workers
from tests.stacks.local import ROOT
from tests.stacks.settling import rows, settled

RTO_SECONDS = 300


@pytest.mark.promise("P15")
@pytest.mark.e2e
async def test_a_destroyed_stack_is_restored_and_goes_on(
    drill: Drill, manifest: Manifest, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    refused, told = tongban(drill.home, "restore", str(drill.backup), "--identity", str(drill.identity))
    assert (refused, told["reason"]) == (1, "RESTORE_TARGET_NOT_EMPTY")
    for lost in ("postgres", "data"):
        shutil.rmtree(drill.home / lost)
    began = time.monotonic()
    status, told = tongban(drill.home, "restore", str(drill.backup), "--identity", str(drill.identity))
    assert (status, told["outcome"]) == (0, "restored"), told
    status, _ = tongban(drill.home, "up", "--catalogue", str(ROOT / "catalogue"))
    assert status == 0
    try:
        seconds = time.monotonic() - began
        record_property("measured", f"restored and ready in {seconds:.1f} s, {told['rows']} rows")
        assert seconds < RTO_SECONDS
        await _kept(drill, manifest)
        async with case_workers(drill.stack.reach, 1, seed=16) as (people, desk):
            await _still_valid(drill, desk.department, tmp_path / "trust")
            await carry_through(people[0], desk)
        assert await settled(drill.stack, 60)
        made = await rows(drill.stack.dsn("certs"), "select status from licence where origin = 'made'")
        assert [row["status"] for row in made] == ["valid"] * 7
        parked = "select count(*) from dead_letter"
        assert [(await rows(drill.stack.dsn(each), parked))[0][0] for each in ("intake", "certs")] == [0, 0]
        status, told = tongban(drill.home, "reconcile", "--day", str(drill.day), "--settle-seconds", "0")
        assert (status, told["differences"]) == (0, []), told["differences"]
        assert told["opened_documents"] == 7
    finally:
        tongban(drill.home, "down")


async def _kept(drill: Drill, manifest: Manifest) -> None:
    """Hold what the running stack may not have changed since to the manifest, by count and hash."""
    state = read_state(drill.layout.state_file)
    assert state is not None
    server = local(drill.layout, state.bus).server_dsn
    for database, names in {
        "intake": ("service_case", "case_part", "part_signature", "case_archive", "event_log", "inbox"),
        "certs": ("licence", "usage", "event_log", "inbox"),
        "seal": ("seal_use", "ledger_head", "sealed_document", "seal"),
        "notify": ("message", "send_attempt", "inbox"),
        "bus": ("msg",),
    }.items():
        connection = await connect(server, database)
        for table in await read_tables(connection):
            if table.name in names:
                record = manifest.databases[database].tables[table.name]
                kept = Content(record.rows, record.copy_bytes, record.sha256)
                assert await content_of(connection, table) == kept, f"{database}.{table.name}"
        await connection.close()


async def _still_valid(drill: Drill, department: object, trust: Path) -> None:
    from services.seal.app import verify_offline, write_trust_bundle

    found = await department.trust_bundle()  # type: ignore[attr-defined]
    write_trust_bundle(
        trust,
        anchors=found.anchors_der,
        certificates=found.certificates_der,
        crls=found.crls_der,
        status_list=found.status_list,
        own_makers=found.own_makers,
    )
    report = verify_offline(drill.licence.read_bytes(), trust, system_clock())
    assert report["verdict"] == "VALID", report
