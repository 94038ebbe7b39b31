"""Bulk import on a real PostgreSQL: every row answered, good rows kept, nothing twice."""

from __future__ import annotations

import asyncio
import csv
import io
import uuid

import pytest

from chassis.errors import Fault
from tests.integration.certs.conftest import ID_CARD, MARKET, MARRIAGE, World, purpose
from tongban.certs.v1 import licence_pb2 as pb


async def find(world: World, holder: str, **changed: object) -> list[pb.Licence]:
    request = pb.FindLicencesRequest(
        holder_id_type_code="111", holder_id_number=holder, purpose=purpose(), **changed
    )
    with world.as_department():
        return list((await world.licences.FindLicences(request, None)).licences)


async def test_a_csv_with_broken_rows_keeps_the_good_ones_and_names_every_problem_of_the_others(world: World):
    good, broken = world.citizen(), world.citizen()
    rows = [
        world.row(good),
        world.row(broken, ZZMC="", ZZBFRQ="2026-02-30", CZZTDMLXDM="777"),
        world.row(broken, ZZBFJGDM="11361123TB1000097Q"),
        world.row(good, ZZBS=world.row(good)["ZZBS"][:-1] + "?"),
    ]
    names = sorted({name for row in rows for name in row})
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    writer.writerows(rows)
    read = list(csv.DictReader(io.StringIO(text.getvalue())))
    with world.as_department():
        results = await world.import_rows(*read)
    created, wrong, foreign, loose = results
    assert created.outcome == pb.IMPORT_OUTCOME_CREATED
    assert not created.quality_flags
    assert wrong.outcome == pb.IMPORT_OUTCOME_REFUSED
    assert {(each.field, each.reason) for each in wrong.problems} == {
        ("ZZMC", "FIELD_REQUIRED"),
        ("ZZBFRQ", "DATE_MALFORMED"),
        ("CZZTDMLXDM", "HOLDER_ID_TYPE_UNKNOWN"),
    }
    assert [each.reason for each in foreign.problems] == ["ISSUER_OF_ANOTHER_COUNTY"]
    assert loose.outcome == pb.IMPORT_OUTCOME_CREATED
    assert list(loose.quality_flags) == ["LICENCE_IDENTIFIER_CHECK_WRONG"]
    assert len(await find(world, good)) == 2
    assert await find(world, broken) == []
    assert len(await world.events("certs.LicenceImported.v1")) == 2


async def test_a_resumed_import_gets_the_stored_answers_and_changes_nothing(world: World):
    batch_id = str(uuid.uuid4())
    rows = [world.row(world.citizen()), world.row(world.citizen(), ZZMC="")]
    with world.as_department():
        first = await world.import_rows(*rows, batch_id=batch_id)
        again = await world.import_rows(*rows, batch_id=batch_id)
        other = await world.import_rows(world.row(world.citizen()), batch_id=batch_id)
    assert again == first
    assert [each.reason for each in other[0].problems] == ["ROW_NUMBER_REUSED"]
    assert await world.count("select count(*) from licence") == 1
    assert len(await world.events("certs.LicenceImported.v1")) == 1


async def test_the_same_content_is_unchanged_and_new_content_replaces_it_with_the_past_kept(world: World):
    holder = world.citizen()
    row = world.row(holder)
    with world.as_department():
        (created,) = await world.import_rows(row)
        (same,) = await world.import_rows(row)
        (updated,) = await world.import_rows(row | {"KZ_JYFW": "餐饮服务；食品销售"})
    assert same.outcome == pb.IMPORT_OUTCOME_UNCHANGED
    assert updated.outcome == pb.IMPORT_OUTCOME_UPDATED
    assert {created.licence_id} == {same.licence_id, updated.licence_id}
    events = await world.events("certs.LicenceImported.v1")
    assert [event["_version"] for event in events] == [1, 2]
    assert await world.count("select count(*) from licence_past") == 1
    (licence,) = await find(world, holder)
    assert licence.face["KZ_JYFW"] == "餐饮服务；食品销售"


async def test_an_identifier_twice_in_one_chunk_is_one_licence(world: World):
    row = world.row(world.citizen())
    with world.as_department():
        results = await world.import_rows(row, row, row | {"KZ_LX": "合伙企业"})
    outcomes = [each.outcome for each in results]
    assert outcomes == [
        pb.IMPORT_OUTCOME_CREATED,
        pb.IMPORT_OUTCOME_UNCHANGED,
        pb.IMPORT_OUTCOME_UPDATED,
    ]
    assert len({each.licence_id for each in results}) == 1


async def test_a_later_version_of_the_same_serial_replaces_the_earlier_one(world: World):
    from standards.identifiers import parse_licence_identifier

    holder = world.citizen()
    row = world.row(holder)
    second = str(parse_licence_identifier(row["ZZBS"]).next_version())
    with world.as_department():
        await world.import_rows(row)
        await world.import_rows(row | {"ZZBS": second})
    found = {each.version: each.status for each in await find(world, holder)}
    assert found == {1: pb.LICENCE_STATUS_REPLACED, 2: pb.LICENCE_STATUS_VALID}
    (event,) = await world.events("certs.LicenceStatusChanged.v1")
    assert (event["previous"], event["status"], event["_version"]) == ("valid", "replaced", 2)
    assert len(await find(world, holder, usable_only=True)) == 1


async def test_parallel_imports_of_the_same_rows_store_each_licence_once(world: World):
    rows = [world.row(world.citizen()) for _ in range(20)]

    async def send(order: list[dict[str, str]]) -> list[pb.ImportRowResult]:
        with world.as_department():
            return await world.import_rows(*order)

    answers = await asyncio.gather(*(send(rows[n:] + rows[:n]) for n in range(8)))
    assert await world.count("select count(*) from licence") == 20
    outcomes = [result.outcome for answer in answers for result in answer]
    assert outcomes.count(pb.IMPORT_OUTCOME_CREATED) == 20
    assert outcomes.count(pb.IMPORT_OUTCOME_UNCHANGED) == 140


async def test_a_licence_whose_lineage_its_identifier_does_not_tell_is_met_all_the_same(world: World):
    held, other = world.row(world.citizen()), world.row(world.citizen())
    with world.as_department():
        (created,) = await world.import_rows(held)
        async with world.database.transaction() as tx:
            await tx.execute("update licence set lineage_id = gen_random_uuid()")
        same, new = await world.import_rows(held, other)
        (updated,) = await world.import_rows(held | {"KZ_JYFW": "餐饮服务；食品销售"})
    assert [each.outcome for each in (same, new, updated)] == [
        pb.IMPORT_OUTCOME_UNCHANGED,
        pb.IMPORT_OUTCOME_CREATED,
        pb.IMPORT_OUTCOME_UPDATED,
    ]
    assert {same.licence_id, updated.licence_id} == {created.licence_id}
    assert await world.count("select count(*) from licence") == 2


async def test_both_holders_of_a_certificate_find_it(world: World):
    one, other = world.citizen(), world.citizen()
    row = world.row(
        f"{one}^{other}",
        "张一^李二",
        ZZMC="结婚证",
        ZZLXDM=MARRIAGE,
        KZ_CZRXM="张一",
        KZ_POXM="李二",
        KZ_DJRQ="2020-05-20",
    )
    with world.as_department():
        (result,) = await world.import_rows(row)
    assert result.outcome == pb.IMPORT_OUTCOME_CREATED
    for holder in (one, other):
        (found,) = await find(world, holder)
        assert found.holder_name == "张**、李**"


async def test_an_identifier_that_holds_the_identity_number_stays_out_of_events_and_in_reach(world: World):
    holder = world.citizen()
    identifier = f"1.2.156.3005.2.{ID_CARD}.{MARKET}.{holder}.001.0"
    row = world.row(holder, ZZMC="居民身份证", ZZLXDM=ID_CARD, ZZBS=identifier, ZZBH=holder)
    with world.as_department():
        (result,) = await world.import_rows(row)
        assert result.outcome == pb.IMPORT_OUTCOME_CREATED
        request = pb.GetLicenceRequest(identifier=identifier, purpose=purpose())
        found = (await world.licences.GetLicence(request, None)).licence
    assert found.licence_id == result.licence_id
    assert holder not in str(found)
    (event,) = await world.events("certs.LicenceImported.v1")
    assert event["identifier"] == ""


async def test_no_name_and_no_identity_number_stands_in_the_database_in_clear(world: World):
    holder, name = world.citizen(), "欧阳广丰"
    licence_id = await world.stock_licence(holder, name=name)
    await find(world, holder)
    with world.as_intake():
        from tests.integration.certs.test_use_codes import issue_request

        request = issue_request(world, licence_id, holder)
        answer = await world.use_codes.IssueUseCode(request, None)
    async with world.database.transaction() as tx:
        tables = await tx.fetch(
            "select table_name from information_schema.tables where table_schema = 'public'"
        )
        dump = ""
        for table in tables:
            rows = await tx.fetch(f'select * from "{table["table_name"]}"')
            dump += "\n".join(repr(tuple(row)) + bytes_of(row) for row in rows)
    assert "licence" in dump
    for secret in (holder, holder[:-1], name, "广丰区永丰街道", answer.use_code):
        assert secret not in dump


def bytes_of(row: object) -> str:
    return "".join(v.decode("utf-8", "replace") for v in row if isinstance(v, bytes))  # type: ignore[attr-defined]


async def test_an_operator_imports_for_any_county_and_a_department_only_for_its_own(world: World):
    row = world.row(world.citizen(), ZZBFJGDM="422827")
    with world.as_department():
        (refused,) = await world.import_rows(row)
    with world.as_operator():
        (taken,) = await world.import_rows(row)
    assert refused.outcome == pb.IMPORT_OUTCOME_REFUSED
    assert taken.outcome == pb.IMPORT_OUTCOME_CREATED
    assert "USCC_LENGTH_WRONG" in taken.quality_flags


async def test_stock_whose_term_is_over_comes_in_expired(world: World):
    holder = world.citizen()
    await world.stock_licence(holder, ZZYXQJZRQ="2025-01-01")
    (found,) = await find(world, holder)
    assert found.status == pb.LICENCE_STATUS_EXPIRED
    assert await find(world, holder, usable_only=True) == []


async def test_the_frame_of_a_message_is_checked_before_any_row(world: World):
    with world.as_department(), pytest.raises(Fault) as refused:
        await world.import_rows(world.row(world.citizen()), batch_id="x" * 65)
    assert [each.field_path for each in refused.value.violations] == ["batch_id"]


LAIFENG_MARKET = "11422827TB1000077T"
"""An issuer in another county, by characters 3 to 8 of its code."""


async def test_an_identifier_of_another_countys_issuer_is_refused_and_touches_nothing(world: World):
    from standards.identifiers import parse_licence_identifier

    holder = world.citizen()
    row = world.row(holder)
    later = str(parse_licence_identifier(row["ZZBS"]).next_version())
    foreign = row | {"ZZBS": later, "ZZBFJGDM": LAIFENG_MARKET, "CZZTDM": world.citizen()}
    with world.as_department():
        await world.import_rows(row)
    with world.as_department(LAIFENG_MARKET):
        (refused,) = await world.import_rows(foreign)
    assert [(each.field, each.reason) for each in refused.problems] == [("ZZBS", "ISSUER_OF_ANOTHER_COUNTY")]
    with world.as_operator():
        (taken,) = await world.import_rows(foreign)
    assert [(each.field, each.reason) for each in taken.problems] == [("ZZBS", "LICENCE_OF_ANOTHER_COUNTY")]
    (licence,) = await find(world, holder)
    assert licence.status == pb.LICENCE_STATUS_VALID, "another county's row replaces no licence of this one"
    assert not await world.events("certs.LicenceStatusChanged.v1")


async def test_a_control_character_is_that_rows_problem_and_the_good_rows_are_kept(world: World):
    good = world.row(world.citizen())
    broken = world.row(world.citizen(), ZZMC="营业\x00执照", KZ_ZS="一号\x00")
    strange = world.row(world.citizen()) | {"KZ_\x00": "x"}
    with world.as_department():
        kept, refused, odd = await world.import_rows(good, broken, strange)
        with pytest.raises(Fault, match="INVALID_REQUEST"):
            await world.import_rows(good, batch_id="b\x00")
    assert kept.outcome == pb.IMPORT_OUTCOME_CREATED
    assert {(each.field, each.reason) for each in refused.problems} == {
        ("ZZMC", "FIELD_MALFORMED"),
        ("KZ_ZS", "FIELD_MALFORMED"),
    }
    assert [(each.field, each.reason) for each in odd.problems] == [("*", "FIELD_MALFORMED")]


async def test_a_corrected_holder_ends_the_use_codes_the_wrong_one_gave(world: World):
    from tests.integration.certs.test_use_codes import consume, issued, reason_of

    wrong, right = world.citizen(), world.citizen()
    row = world.row(wrong)
    with world.as_department():
        (created,) = await world.import_rows(row)
    code = await issued(world, created.licence_id, wrong)
    with world.as_department():
        await world.import_rows(row | {"KZ_JYFW": "餐饮服务；食品销售"})
    other = await issued(world, created.licence_id, wrong)
    assert (await consume(world, other)).usage_id, "new content of the same holder takes nothing back"
    with world.as_department():
        (updated,) = await world.import_rows(row | {"CZZTDM": right})
    assert updated.outcome == pb.IMPORT_OUTCOME_UPDATED
    assert await reason_of(consume(world, code)) == "USE_CODE_REVOKED"
    code = await issued(world, created.licence_id, right)
    assert (await consume(world, code)).holder_id_number == right


async def test_an_identity_number_is_personal_however_its_last_letter_is_written(world: World):
    holder = next(number for number in iter(world.citizen, "") if number.endswith("X"))
    identifier = f"1.2.156.3005.2.{ID_CARD}.{MARKET}.{holder.lower()}.001.0"
    row = world.row(holder, ZZMC="居民身份证", ZZLXDM=ID_CARD, ZZBS=identifier, ZZBH=holder.lower())
    with world.as_department():
        (result,) = await world.import_rows(row)
    assert result.outcome == pb.IMPORT_OUTCOME_CREATED
    (event,) = await world.events("certs.LicenceImported.v1")
    assert event["identifier"] == ""
    assert (
        await world.count("select count(*) from licence where identifier ilike '%' || $1 || '%'", holder) == 0
    )
    (licence,) = await find(world, holder)
    assert holder.lower() not in str(licence).lower()
