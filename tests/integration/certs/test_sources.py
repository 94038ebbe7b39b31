"""Sources of licence data on a real PostgreSQL: authority, priority, duplicates, increments, reconciliation."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chassis.errors import Fault
from services.certs.rpc.sources import SourceServicer
from tests.integration.certs.conftest import BUSINESS, FIRE, MARKET, World
from tests.integration.certs.test_imports import find
from tests.integration.certs.test_reading import change
from tongban.certs.v1 import licence_pb2 as pb
from tongban.certs.v1 import source_pb2 as sources

KEEPER = "11361103TB1000177K"
INSERT, UPDATE, CANCEL = pb.IMPORT_OPERATION_INSERT, pb.IMPORT_OPERATION_UPDATE, pb.IMPORT_OPERATION_CANCEL


@pytest.fixture
def desk(world: World) -> SourceServicer:
    return SourceServicer(world.desk)


async def send(
    world: World, *rows: tuple[int, dict[str, str]], source_id: str = "", batch_id: str = ""
) -> list[pb.ImportRowResult]:
    message = pb.ImportLicencesRequest(
        batch_id=batch_id or str(uuid.uuid4()),
        source_id=source_id,
        rows=[
            pb.ImportRow(row_number=n, fields=fields, operation=operation)  # type: ignore[arg-type]
            for n, (operation, fields) in enumerate(rows, 1)
        ],
    )

    async def requests() -> AsyncIterator[pb.ImportLicencesRequest]:
        yield message

    return [
        result async for answer in world.imports.ImportLicences(requests(), None) for result in answer.results
    ]


async def register(world: World, desk: SourceServicer, source_id: str, **changed: Any) -> sources.Source:
    given = {
        "department_code": FIRE,
        "county_code": "361103",
        "name": "部门前置库",
        "priority": 50,
        "freshness_seconds": 86_400,
    } | changed
    request = sources.RegisterSourceRequest(
        request_id=str(uuid.uuid4()), source=sources.Source(source_id=source_id, **given)
    )
    with world.as_operator():
        return (await desk.RegisterSource(request, None)).source


def reasons(result: pb.ImportRowResult) -> list[tuple[str, str]]:
    return [(each.field, each.reason) for each in result.problems]


async def test_a_department_delivers_its_own_licences_and_others_only_through_a_source_registered_for_it(
    world: World, desk: SourceServicer
) -> None:
    row = world.row(world.citizen())
    with world.as_department(FIRE):
        (refused,) = await send(world, (0, row))
        with pytest.raises(Fault, match="SOURCE_NOT_FOUND"):
            await send(world, (0, row), source_id="exchange")
    assert reasons(refused) == [("ZZBFJGDM", "SOURCE_NOT_FOR_ISSUER")]
    await register(world, desk, "exchange", issuer_codes=[MARKET], type_codes=[BUSINESS])
    with world.as_department(FIRE):
        (taken,) = await send(world, (0, row), source_id="exchange")
        (other,) = await send(
            world, (0, world.row(world.citizen(), ZZLXDM="111000000000131433001")), source_id="exchange"
        )
    assert taken.outcome == pb.IMPORT_OUTCOME_CREATED
    assert ("ZZLXDM", "SOURCE_NOT_FOR_ISSUER") in reasons(other)
    with world.as_department(), pytest.raises(Fault, match="SOURCE_NOT_FOUND"):
        await send(world, (0, row), source_id="exchange")


async def test_the_same_number_of_another_holder_is_refused_and_a_new_version_of_the_licence_is_not(
    world: World,
) -> None:
    from standards.identifiers import build_licence_identifier, parse_licence_identifier

    row = world.row(world.citizen())
    other = row | {
        "CZZTDM": world.citizen(),
        "ZZBS": build_licence_identifier(BUSINESS, MARKET, "2026999999"),
    }
    later = row | {
        "CZZTDM": world.citizen(),
        "ZZBS": str(parse_licence_identifier(row["ZZBS"]).next_version()),
    }
    with world.as_department():
        first, second = await send(world, (0, row), (0, other))
        (again,) = await send(world, (0, other))
        (version,) = await send(world, (0, later))
    assert first.outcome == pb.IMPORT_OUTCOME_CREATED
    assert reasons(second) == reasons(again) == [("ZZBH", "DUPLICATE_NUMBER")]
    assert version.outcome == pb.IMPORT_OUTCOME_CREATED


async def conflict(world: World, desk: SourceServicer) -> tuple[str, str, dict[str, str]]:
    """A licence of the issuer's own register, and a row of a lesser source that was not taken."""
    await register(world, desk, "lesser", priority=20)
    holder = world.citizen()
    row = world.row(holder)
    offered = row | {"KZ_JYFW": "食品销售"}
    with world.as_department():
        await send(world, (0, row))
    with world.as_department(FIRE):
        (kept,) = await send(world, (0, offered), source_id="lesser")
        (again,) = await send(world, (0, offered), source_id="lesser")
    assert kept.outcome == again.outcome == pb.IMPORT_OUTCOME_CONFLICT_KEPT
    with world.as_department():
        listed = await desk.ListImportConflicts(sources.ListImportConflictsRequest(open_only=True), None)
    (found,) = listed.conflicts
    assert (found.source_id, found.held_source_id, found.licence_id) == ("lesser", MARKET, kept.licence_id)
    assert found.held_digest != found.offered_digest
    return found.conflict_id, holder, row


async def resolve(desk: SourceServicer, conflict_id: str, resolution: int) -> sources.ImportConflict:
    request = sources.ResolveImportConflictRequest(
        request_id=str(uuid.uuid4()),
        conflict_id=conflict_id,
        resolution=resolution,  # type: ignore[arg-type]
        reason="经核实",
    )
    return (await desk.ResolveImportConflict(request, None)).conflict


async def test_a_lesser_sources_content_is_kept_aside_until_the_issuer_takes_it(
    world: World, desk: SourceServicer
) -> None:
    conflict_id, holder, row = await conflict(world, desk)
    (licence,) = await find(world, holder)
    assert licence.face["KZ_JYFW"] == row["KZ_JYFW"]
    with world.as_department(FIRE), pytest.raises(Fault, match="CONFLICT_NOT_FOUND"):
        await resolve(desk, conflict_id, sources.CONFLICT_RESOLUTION_TAKEN)
    with world.as_department():
        done = await resolve(desk, conflict_id, sources.CONFLICT_RESOLUTION_TAKEN)
        with pytest.raises(Fault, match="CONFLICT_ALREADY_RESOLVED"):
            await resolve(desk, conflict_id, sources.CONFLICT_RESOLUTION_KEPT)
        left = await desk.ListImportConflicts(sources.ListImportConflictsRequest(open_only=True), None)
    assert done.resolution == sources.CONFLICT_RESOLUTION_TAKEN
    assert not left.conflicts
    (licence,) = await find(world, holder)
    assert licence.face["KZ_JYFW"] == "食品销售"
    assert await world.count("select count(*) from licence_past") == 1


async def test_what_was_decided_holds_until_the_overruled_source_says_something_else(
    world: World, desk: SourceServicer
) -> None:
    conflict_id, holder, row = await conflict(world, desk)
    other = row | {"KZ_JYFW": "住宿"}
    with world.as_department():
        await resolve(desk, conflict_id, sources.CONFLICT_RESOLUTION_TAKEN)
        (again,) = await send(world, (0, row))
        (increment,) = await send(world, (UPDATE, row))
        left = await desk.ListImportConflicts(sources.ListImportConflictsRequest(open_only=True), None)
    assert again.outcome == increment.outcome == pb.IMPORT_OUTCOME_CONFLICT_KEPT
    assert not left.conflicts
    (licence,) = await find(world, holder)
    assert licence.face["KZ_JYFW"] == "食品销售"
    with world.as_department():
        (corrected,) = await send(world, (0, other))
        (returned,) = await send(world, (0, row))
    assert corrected.outcome == returned.outcome == pb.IMPORT_OUTCOME_UPDATED
    (licence,) = await find(world, holder)
    assert licence.face["KZ_JYFW"] == row["KZ_JYFW"]


async def test_a_decision_overrules_what_is_held_when_it_is_taken(world: World, desk: SourceServicer) -> None:
    conflict_id, _, row = await conflict(world, desk)
    meanwhile = row | {"KZ_JYFW": "住宿"}
    with world.as_department():
        await send(world, (0, meanwhile))
        await resolve(desk, conflict_id, sources.CONFLICT_RESOLUTION_TAKEN)
        (kept,) = await send(world, (0, meanwhile))
    assert kept.outcome == pb.IMPORT_OUTCOME_CONFLICT_KEPT
    with world.as_department():
        (before,) = await send(world, (0, row))
    assert before.outcome == pb.IMPORT_OUTCOME_UPDATED


async def test_an_altered_decision_overrules_nothing(world: World, desk: SourceServicer) -> None:
    conflict_id, _, row = await conflict(world, desk)
    with world.as_department():
        await resolve(desk, conflict_id, sources.CONFLICT_RESOLUTION_TAKEN)
        async with world.database.transaction() as tx:
            await tx.execute("update import_conflict set resolved_by = 'another'")
        with pytest.raises(Fault, match="ROW_ALTERED"):
            await send(world, (0, row))


@pytest.mark.parametrize("told", ["import", "issuer"])
async def test_a_stock_row_does_not_call_a_licence_that_fell_unchanged(world: World, told: str) -> None:
    row = world.row(world.citizen())
    with world.as_department():
        (stocked,) = await send(world, (0, row))
        if told == "import":
            await send(world, (CANCEL, {"ZZBS": row["ZZBS"]}))
        else:
            await world.licences.ChangeLicenceStatus(change(stocked.licence_id), None)
        (again,) = await send(world, (0, row))
    assert again.outcome == pb.IMPORT_OUTCOME_REFUSED
    assert reasons(again) == [("ZZZT", "LICENCE_STATUS_FINAL")]


async def test_a_conflict_that_is_kept_changes_nothing(world: World, desk: SourceServicer) -> None:
    conflict_id, holder, row = await conflict(world, desk)
    with world.as_department():
        await resolve(desk, conflict_id, sources.CONFLICT_RESOLUTION_KEPT)
    (licence,) = await find(world, holder)
    assert licence.face["KZ_JYFW"] == row["KZ_JYFW"]
    assert await world.count("select count(*) from licence_past") == 0


async def test_a_source_of_higher_priority_replaces_with_the_past_kept(
    world: World, desk: SourceServicer
) -> None:
    await register(world, desk, "national", priority=90)
    row = world.row(world.citizen())
    with world.as_department():
        await send(world, (0, row))
    with world.as_department(FIRE):
        (taken,) = await send(world, (0, row | {"KZ_JYFW": "食品销售"}), source_id="national")
    with world.as_department():
        (kept,) = await send(world, (0, row | {"KZ_JYFW": "住宿"}))
    assert taken.outcome == pb.IMPORT_OUTCOME_UPDATED
    assert kept.outcome == pb.IMPORT_OUTCOME_CONFLICT_KEPT
    assert await world.count("select count(*) from licence_past where source_id = $1", MARKET) == 1


async def test_increments_insert_update_and_cancel_each_once(world: World) -> None:
    row = world.row(world.citizen())
    changed = row | {"KZ_JYFW": "食品销售"}
    cancel = {"ZZBS": row["ZZBS"], "ZZBGYY": "企业申请注销", "ZZBGSJ": "2026-03-01"}
    with world.as_department():
        (unknown,) = await send(world, (UPDATE, changed))
        (none,) = await send(world, (CANCEL, cancel))
        (inserted,) = await send(world, (INSERT, row))
        (same,) = await send(world, (INSERT, row))
        (taken,) = await send(world, (INSERT, changed))
        (updated,) = await send(world, (UPDATE, changed))
        (cancelled,) = await send(world, (CANCEL, cancel))
        (twice,) = await send(world, (CANCEL, cancel))
        (back,) = await send(world, (UPDATE, row | {"ZZZT": "有效"}))
    assert reasons(unknown) == reasons(none) == [("ZZBS", "LICENCE_NOT_REGISTERED")]
    assert [inserted.outcome, same.outcome, updated.outcome, cancelled.outcome] == [
        pb.IMPORT_OUTCOME_CREATED,
        pb.IMPORT_OUTCOME_UNCHANGED,
        pb.IMPORT_OUTCOME_UPDATED,
        pb.IMPORT_OUTCOME_CANCELLED,
    ]
    assert reasons(taken) == [("ZZBS", "LICENCE_ALREADY_REGISTERED")]
    assert reasons(twice) == [("ZZBS", "LICENCE_ALREADY_CANCELLED")]
    assert reasons(back) == [("ZZZT", "LICENCE_STATUS_FINAL")]
    (event,) = await world.events("certs.LicenceStatusChanged.v1")
    assert (event["previous"], event["status"], event["_version"]) == ("valid", "cancelled", 3)
    assert await world.count("select count(*) from licence_status_change where reason = '企业申请注销'") == 1


async def test_no_department_cancels_the_licence_of_an_issuer_it_does_not_speak_for(world: World) -> None:
    row = world.row(world.citizen())
    with world.as_department():
        await send(world, (0, row))
    with world.as_department(FIRE):
        (refused,) = await send(world, (CANCEL, {"ZZBS": row["ZZBS"]}))
    assert reasons(refused) == [("ZZBS", "LICENCE_NOT_REGISTERED")]


async def test_a_status_that_a_register_tells_of_is_a_line_of_the_history_and_an_event(world: World) -> None:
    row = world.row(world.citizen())
    with world.as_department():
        await send(world, (0, row))
        await send(world, (0, row | {"ZZZT": "吊销"}))
    (event,) = await world.events("certs.LicenceStatusChanged.v1")
    assert (event["previous"], event["status"], event["_version"]) == ("valid", "forfeited", 3)
    assert [each["_version"] for each in await world.events("certs.LicenceImported.v1")] == [1, 2]
    line = "select count(*) from licence_status_change where version = 3 and act = 'forfeit'"
    assert await world.count(line) == 1


async def test_an_operation_that_is_not_known_refuses_the_message(world: World) -> None:
    with world.as_department(), pytest.raises(Fault) as refused:
        await send(world, (9, world.row(world.citizen())))
    assert [each.field_path for each in refused.value.violations] == ["rows.operation"]


async def test_a_source_changes_only_under_its_etag_and_an_altered_one_is_found_out(
    world: World, desk: SourceServicer
) -> None:
    made = await register(world, desk, "exchange")
    with pytest.raises(Fault, match="INVALID_REQUEST"):
        await register(world, desk, "exchange", priority=60)
    with pytest.raises(Fault, match="ETAG_MISMATCH"):
        await register(world, desk, "exchange", priority=60, etag='"7"')
    changed = await register(world, desk, "exchange", priority=60, etag=made.etag)
    assert (changed.priority, changed.etag) == (60, '"2"')
    async with world.database.transaction() as tx:
        await tx.execute("update source set priority = 99")
    with world.as_operator(), pytest.raises(Fault, match="ROW_ALTERED"):
        await desk.ListSources(sources.ListSourcesRequest(), None)


async def test_sources_are_listed_page_by_page_and_a_department_sees_its_own(
    world: World, desk: SourceServicer
) -> None:
    for name in ("a", "b", "c"):
        await register(world, desk, name, department_code=MARKET if name == "b" else FIRE)
    found, token = [], ""
    with world.as_operator():
        while True:
            page = await desk.ListSources(sources.ListSourcesRequest(page_size=2, page_token=token), None)
            found += [each.source_id for each in page.sources]
            token = page.next_page_token
            if not token:
                break
    with world.as_department():
        own = await desk.ListSources(sources.ListSourcesRequest(), None)
    assert found == ["a", "b", "c"]
    assert [each.source_id for each in own.sources] == ["b"]
