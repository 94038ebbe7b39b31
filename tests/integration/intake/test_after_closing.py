"""Ratings, the archive, and what time does: deemed acceptance, deadlines past the loaded calendar."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from chassis.auth import public_keys, verify_document
from chassis.errors import Fault
from events import certs, notify, seal
from events import intake as told
from services.intake.consumers import Following, handlers
from services.intake.domain.catalogue.model import Catalogue
from services.intake.usecases import archive, ratings, supervision
from standards.working_days import CalendarYear, WorkingCalendar


async def closed_case(intake):
    case = await intake.submitted()
    for part in case.parts:
        await intake.approve(part.part_id)
    for part in case.parts:
        await hear(
            intake,
            certs.LicenceIssued(
                licence_id=f"L-{part.part_id}",
                identifier="1.2.156.3005.2.x",
                type_code=part.item.licence_type_code,
                type_name="测试许可证",
                county_code=part.item.county_code,
                issuer_code=part.item.department_code,
                case_id=case.case_id,
                part_id=part.part_id,
                signature_id="s",
                document_sha256="0" * 64,
                issued_at=intake.clock(),
            ),
        )
    return await intake.load(case.case_id)


async def hear(intake, event) -> None:
    """Have an event applied as the consumer does: prepare outside, apply in the inbox's transaction."""
    following = Following(intake.works, intake.works.within, intake.registry, intake.files, intake.sign)
    handler = next(each for each in handlers(following) if each.event is type(event))
    prepared = await handler.prepare(event) if handler.prepare else None
    async with intake.works.database.transaction() as tx:
        await handler.apply(tx, event, None, prepared)


async def test_a_closed_case_is_archived_once_in_a_package_that_verifies_alone(intake) -> None:
    case = await closed_case(intake)
    assert case.closed_at is not None
    event = told.CaseClosed(
        case_id=case.case_id,
        case_no=case.case_no,
        person_id=case.person_id,
        title="x",
        county_code="361123",
        approved_parts=3,
        rejected_parts=0,
        closed_at=case.closed_at,
    )
    for _ in range(2):
        await hear(intake, event)
    found, package = await archive.get_archive(intake.works, intake.files, intake.actor, case.case_id)
    assert hashlib.sha256(package).hexdigest() == found.sha256
    assert hashlib.new("sm3", package).hexdigest() == found.sm3
    with zipfile.ZipFile(io.BytesIO(package)) as zipped:
        manifest = verify_document(
            zipped.read("manifest.jws").decode(), public_keys([intake.keys]), kind="archive-manifest"
        )
        names = set(zipped.namelist())
        listed = {each["name"]: each for each in manifest["files"]}
        assert names == {*listed, "manifest.jws"}
        for name, entry in listed.items():
            assert hashlib.new("sm3", zipped.read(name)).hexdigest() == entry["sm3"]
        receipt = verify_document(zipped.read("receipt.jws").decode(), public_keys([intake.keys]))
        assert receipt["handed_in_digest"] == manifest["handed_in_digest"] == case.digest
        application = json.loads(zipped.read("application.json"))
    assert application["handed_in"]["form"]["shop_name"] == "测试小馆"
    assert {f"results/{part.part_id}.ofd" for part in case.parts} <= names
    assert any(name.startswith("materials/case/") for name in names)
    assert [name for name, _, _ in await intake.events()].count("intake.CaseArchived.v1") == 1


async def test_what_other_services_did_stands_in_the_timeline_once(intake) -> None:
    case = await intake.submitted()
    at = intake.clock()
    events = [
        certs.LicenceUsed(
            licence_id="l", usage_id="u", consumer_code="c", item_code="i", case_id=case.case_id, used_at=at
        ),
        seal.SealingRefused(
            signature_id="s", licence_id="l", case_id=case.case_id, reason="NO_SEAL", refused_at=at
        ),
        notify.MessageSent(
            message_id="m",
            template_code="t",
            channel="sms",
            person_id=None,
            case_id=case.case_id,
            attempts=1,
            sent_at=at,
        ),
        notify.MessageSent(
            message_id="n",
            template_code="t",
            channel="sms",
            person_id=None,
            case_id=None,
            attempts=1,
            sent_at=at,
        ),
        certs.LicenceUsed(
            licence_id="l", usage_id="v", consumer_code="c", item_code="i", case_id="not-ours", used_at=at
        ),
        *(
            certs.RelianceFell(
                flag_id=f"f-{case_id}",
                licence_id="l",
                consumer_code="c",
                case_id=case_id,
                cause="revoked",
                effective_at=at,
                fell_at=at,
            )
            for case_id in (case.case_id, "not-ours")
        ),
    ]
    for event in events * 2:
        await hear(intake, event)
    async with intake.works() as work:
        entries = await work.timeline.of_case(case.case_id)
        assert not await work.timeline.of_case("not-ours")
    assert sorted(each.what for each in entries if each.service != "intake") == [
        "licence_fell",
        "licence_used",
        "message_sent",
        "sealing_refused",
    ]


async def test_a_bad_rating_needs_a_reason_and_opens_an_order_in_working_days(intake) -> None:
    case = await intake.submitted()

    async def rate(**values):
        async with intake.works() as work:
            return await ratings.rate_case(work, intake.catalogue, intake.actor, case.case_id, **values)

    with pytest.raises(Fault) as refusal:
        await rate(grade=2)
    assert refusal.value.violations[0].reason.code == "BAD_RATING_NEEDS_REASON"
    rating, order = await rate(grade=1, options=("110",), text="等太久")
    assert rating.bad
    assert order.contact_due == date(2026, 3, 3)
    assert order.rectify_due == date(2026, 3, 23)
    with pytest.raises(Fault) as refusal:
        await rate(grade=5)
    assert refusal.value.code == "CASE_ALREADY_RATED"
    names = [name for name, _, _ in await intake.events()]
    assert names[-2:] == ["intake.CaseRated.v1", "intake.RectificationOpened.v1"]


async def test_a_department_silent_for_five_working_days_has_accepted_from_the_day_of_receipt(intake) -> None:
    case = await intake.submitted()
    received_at = case.parts[0].received_at
    intake.clock.at = datetime(2026, 3, 9, 15, 0, tzinfo=UTC)  # Monday evening in China: the last day runs
    assert (await supervision.accept_silent_parts(intake.works, intake.catalogue)).changed == 0
    intake.clock.at += timedelta(hours=2)  # Tuesday
    swept = await supervision.accept_silent_parts(intake.works, intake.catalogue)
    assert swept.changed == len(case.parts)
    assert (await supervision.accept_silent_parts(intake.works, intake.catalogue)).changed == 0
    for part in (await intake.load(case.case_id)).parts:
        assert part.deemed
        assert part.accepted_at == received_at
        assert part.promised.due == intake.catalogue.calendar.end_of(date(2026, 3, 2), part.item.promised)


async def test_a_deadline_beyond_the_loaded_calendar_waits_for_it(intake) -> None:
    case = await intake.submitted()
    part = case.parts[0]
    intake.clock.at = datetime(2026, 12, 30, 2, 0, tzinfo=UTC)
    await intake.accept(part.part_id)
    accepted = (await intake.load(case.case_id)).part(part.part_id)
    assert accepted.promised.calendar_pending
    assert accepted.promised.due is None
    loaded = with_year(intake.catalogue, 2027)
    assert await supervision.fill_pending_deadlines(intake.works, intake.catalogue) == 0
    assert await supervision.fill_pending_deadlines(intake.works, loaded) == 1
    assert await supervision.fill_pending_deadlines(intake.works, loaded) == 0
    known = (await intake.load(case.case_id)).part(part.part_id)
    assert known.promised.due is not None
    assert not known.promised.calendar_pending
    assert known.promised.calendar_version == loaded.calendar.version


def with_year(catalogue: Catalogue, year: int) -> Catalogue:
    fresh = CalendarYear(year, "test", "测试", frozenset(), frozenset())
    return replace(catalogue, calendar=WorkingCalendar({**catalogue.calendar.years, year: fresh}))
