"""P23: what is past its time goes, what is not stays, and each deletion is on record; over a shifted clock."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chassis.errors import Fault
from chassis.files import FILE_STORE_FAILED, DirectoryStore
from chassis.row_codes import altered_rows
from services.intake.domain.entrustment import Entrustment, EntrustmentWish, Power
from services.intake.domain.identity.person import Person, PersonKind
from services.intake.domain.identity.session import new_session
from services.intake.settings import IntakeSettings
from services.intake.store.coded import RETENTION_RUN
from services.intake.store.files import EncryptedFiles
from services.intake.store.identity import IdentityWorks
from services.intake.store.retention import RetentionWorks
from services.intake.usecases.cases import drafting
from services.intake.usecases.identity.ports import ContactRead
from services.intake.usecases.retention import Retention, forget_files, forget_rows
from services.intake.usecases.supervision import accept_silent_parts
from tests.integration.intake.conftest import NOW, Intake

pytestmark = [pytest.mark.promise("P23")]
SIX_MONTHS, THREE_YEARS, DAY = timedelta(days=184), timedelta(days=1_096), timedelta(days=1)


def default(name: str) -> timedelta:
    return timedelta(days=IntakeSettings.model_fields[name].default)


KEEP = Retention(
    sessions=default("keep_sessions_days"),
    contact_reads=default("keep_contact_reads_days"),
    replaced_changes=default("keep_replaced_changes_days"),
    drafts=default("keep_drafts_days"),
    entrustments=default("keep_entrustments_days"),
    abandoned_files=default("keep_abandoned_files_days"),
    every=DAY,
)


@dataclass
class FailingFiles:
    """A store that fails when bytes are to go, as often as told."""

    files: EncryptedFiles
    failures: int = 0
    removed: list[str] = field(default_factory=list)

    def keys(self) -> Any:
        return self.files.keys()

    async def remove(self, key: str) -> None:
        if self.failures:
            self.failures -= 1
            raise FILE_STORE_FAILED()
        await self.files.remove(key)
        self.removed.append(key)


@dataclass
class Retained:
    """Intake with its sweeps."""

    intake: Intake
    works: RetentionWorks
    identity: IdentityWorks
    files: EncryptedFiles

    async def rows(self, limit: int = 2) -> dict[str, int]:
        return await forget_rows(self.works, KEEP, limit=limit)

    async def count(self, table: str) -> int:
        async with self.intake.works() as work:
            return int(await work.tx.fetchval(f"select count(*) from {table}"))

    async def recorded(self) -> dict[str, int]:
        async with self.intake.works() as work:
            found = await work.tx.fetch(
                "select what, sum(deleted)::int as n from retention_run group by what order by what"
            )
        return {row["what"]: row["n"] for row in found}

    def later(self, by: timedelta) -> None:
        self.intake.clock.at += by


@pytest.fixture
def retained(intake: Intake, tmp_path: Path) -> Retained:
    cipher = intake.works._cipher
    files = EncryptedFiles(DirectoryStore(tmp_path / "files"), cipher)
    intake.files = files  # type: ignore[assignment]
    database = intake.works.database
    return Retained(intake, RetentionWorks(database, cipher), IdentityWorks(database, cipher), files)


async def a_person(retained: Retained) -> None:
    async with retained.identity() as work:
        await work.persons.add(
            Person(
                person_id="p",
                kind=PersonKind.NATURAL,
                id_type_code="111",
                id_number="11010519491231002X",
                name="测试人甲",
                phone="19900000000",
                registered_at=NOW,
                version=1,
            )
        )


async def test_sessions_stay_six_months_and_contact_readings_three_years(retained: Retained) -> None:
    await a_person(retained)
    async with retained.identity() as work:
        for number in range(5):
            await work.sessions.add(new_session(f"s{number}", "p", "K-1", 3, work.now()))
            await work.contact_reads.add(ContactRead("p", "notify", "办件通知", work.now()))
    retained.later(SIX_MONTHS)
    assert not any((await retained.rows()).values())
    assert await retained.count("login_session") == 5
    retained.later(DAY)
    assert (await retained.rows())["sessions"] == 5
    assert (await retained.count("login_session"), await retained.count("contact_read")) == (0, 5)
    retained.later(THREE_YEARS - SIX_MONTHS - DAY)
    assert not any((await retained.rows()).values())
    retained.later(DAY)
    assert (await retained.rows())["contact_reads"] == 5
    assert await retained.count("contact_read") == 0
    assert await retained.recorded() == {"contact_reads": 5, "sessions": 5}
    retained.later(DAY)
    assert not any((await retained.rows()).values()), "again deletes nothing"
    database, cipher = retained.intake.works.database, retained.intake.works._cipher
    assert await altered_rows(database, cipher, RETENTION_RUN) == []


async def test_drafts_go_when_nobody_touched_them_and_cases_stay(retained: Retained) -> None:
    intake = retained.intake
    old, touched = [await intake.draft() for _ in range(3)], await intake.draft()
    submitted = await intake.submitted()
    retained.later(timedelta(days=100))
    async with intake.works() as work:
        await drafting.update_form(work, intake.actor, touched.case_id, touched.form)
    retained.later(timedelta(days=80))
    assert (await retained.rows())["drafts"] == 0
    retained.later(DAY)
    assert (await retained.rows())["drafts"] == len(old)
    async with intake.works() as work:
        for case in old:
            assert await work.cases.load(case.case_id) is None
            left = await work.tx.fetchval("select count(*) from case_part where case_id = $1", case.case_id)
            assert left == 0
    assert (await intake.load(touched.case_id)).case_id == touched.case_id
    retained.later(timedelta(days=4_000))
    assert (await retained.rows())["drafts"] == 1
    assert (await intake.load(submitted.case_id)).case_no == submitted.case_no
    assert (await retained.recorded())["drafts"] == 4


async def test_the_newest_change_of_each_part_stays_in_the_feed(retained: Retained) -> None:
    intake = retained.intake
    case = await intake.submitted()
    retained.later(timedelta(days=30))
    assert (await accept_silent_parts(intake.works, intake.catalogue)).changed == len(case.parts)
    before = await retained.count("part_change")
    assert before == 2 * len(case.parts)
    retained.later(SIX_MONTHS - timedelta(days=30))
    assert (await retained.rows())["replaced_changes"] == 0
    retained.later(DAY)
    assert (await retained.rows())["replaced_changes"] == len(case.parts)
    retained.later(THREE_YEARS)
    assert (await retained.rows())["replaced_changes"] == 0
    async with intake.works() as work:
        for part in case.parts:
            heard = await work.feed.read(part.item.department_code, 0, 100)
            assert part.part_id in {each.part_id for each in heard}
            assert await work.feed.head(part.item.department_code) == heard[-1].revision


async def test_a_replaced_upload_goes_and_what_a_case_refers_to_stays(retained: Retained) -> None:
    intake, store = retained.intake, FailingFiles(retained.files)
    case = await intake.ready()
    supplied = (await intake.load(case.case_id)).supplies
    code = next(code for code, each in supplied.items() if each.file_id)
    replaced = supplied[code].file_id
    await intake.upload(case.case_id, code, b"%PDF-1.7 another")
    crashed = await retained.files.put(b"%PDF-1.7 stored, but its transaction never came")
    used = {each.file_id for each in (await intake.load(case.case_id)).supplies.values() if each.file_id}

    async def sweep() -> int:
        return (await forget_files(retained.works, store, KEEP, limit=1)).get("abandoned_files", 0)

    assert await sweep() == 0
    assert await sweep() == 0, "one pass a day"
    retained.later(KEEP.abandoned_files - DAY)
    assert await sweep() == 0
    assert {replaced, crashed} <= set(retained.files.keys())
    retained.later(DAY)
    store.failures = 1
    with pytest.raises(Fault, match="FILE_STORE_FAILED"):
        await sweep()
    assert store.removed == []
    for _ in range(3):  # bytes that outlived their row are found anew and have their time again
        retained.later(KEEP.abandoned_files)
        await sweep()
    assert set(retained.files.keys()) == used
    assert await retained.count("unreferenced_file") == 0
    assert await intake.files.get(next(iter(used)))
    assert (await retained.recorded())["abandoned_files"] == 3


async def test_an_unreadable_case_stops_the_removal_of_files(retained: Retained) -> None:
    intake, store = retained.intake, FailingFiles(retained.files)
    await intake.ready()
    loose = await retained.files.put(b"%PDF-1.7 loose")
    await forget_files(retained.works, store, KEEP)
    retained.later(timedelta(days=60))
    async with intake.works() as work:
        await work.tx.execute(
            "update service_case set content = set_byte(content, 60, get_byte(content, 60) # 1)"
        )
    with pytest.raises(Fault, match="FIELD_UNREADABLE"):
        await forget_files(retained.works, store, KEEP)
    assert store.removed == []
    assert loose in set(retained.files.keys())


async def test_an_entrustment_goes_three_years_after_its_end_with_whose_it_was(retained: Retained) -> None:
    await a_person(retained)
    holder, agent = ("111", "11010519491231002X"), ("111", "440524188001010014")
    wish = EntrustmentWish(agent, ("type-1",), (), (Power.APPLY,), None, NOW + timedelta(days=400))
    names = [str(uuid.uuid4()) for _ in range(3)]
    taken_back = names[0]
    async with retained.identity() as work:
        for name in names:
            given = Entrustment(name, "p", "p", holder, wish, "a.b.c", NOW, NOW, recorded_at=NOW)
            await work.entrustments.add(given.revoked(NOW) if name == taken_back else given)
    retained.later(THREE_YEARS)
    assert (await retained.rows())["entrustments"] == 0
    retained.later(DAY)
    assert (await retained.rows(limit=1))["entrustments"] == 1
    async with retained.identity() as work:
        assert await work.entrustments.read(taken_back) is None
        assert await work.entrustments.of(agent, "nobody", None, 5)
    retained.later(timedelta(days=400))
    assert (await retained.rows(limit=1))["entrustments"] == 2
    async with retained.identity() as work:
        assert await work.entrustments.of(agent, "nobody", None, 5) == []
    assert await retained.count("entrustment") == 0
    assert await retained.recorded() == {"entrustments": 3}
