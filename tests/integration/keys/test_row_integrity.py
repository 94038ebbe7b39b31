"""P18: one flipped bit in a permission, an audit row, a ciphertext or a file is told when it is read."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chassis.errors import Fault
from chassis.files import DirectoryStore
from chassis.row_codes import altered_rows
from services.certs.domain.holder import Holder
from services.certs.domain.purpose import Basis, Purpose
from services.certs.domain.usage import Reader, Usage, UsageKind
from services.certs.store import Vault
from services.certs.store.coded import USAGE
from services.certs.store.usages import UsageStore
from services.intake.domain.identity.person import Person, PersonKind
from services.intake.domain.identity.representation import Representation
from services.intake.store.files import EncryptedFiles
from services.intake.store.identity.persons import PersonRows
from services.intake.store.identity.work import RepresentationRows
from services.seal.usecases.read_register import check_ledger
from services.seal.usecases.using_ports import WantedUses
from tests.integration.keys.conftest import Open, Place
from tests.integration.seal.conftest import GUANGFENG, SealWorld, stocked, world
from tests.unit.seal.sealing_room import sm2

__all__ = ["stocked", "world"]
pytestmark = [pytest.mark.promise("P18")]
NOW = datetime(2026, 3, 2, 2, 0, 0, 123_457, tzinfo=UTC)
USAGE_CHANGES = (
    "kind = 'find'", "consumer_code = 'someone else'", "consumer_name = consumer_name || ' '",
    "consumer_is_department = not consumer_is_department", "item_code = ''", "case_id = 'case-2'",
    "use_cause = 'other'", "basis = ''", "outcome = 'NOT_PERMITTED'", "used_at = used_at + interval '1 microsecond'",
    "licence_id = null", "mac = null", "holder_key = holder_key || '\\x00'", "mac = set_byte(mac, 7, get_byte(mac, 7) # 1)",
)  # fmt: skip


def a_person(person_id: str, number: str) -> Person:
    return Person(
        person_id=person_id,
        kind=PersonKind.NATURAL,
        id_type_code="111",
        id_number=number,
        name="测试人甲",
        phone="19900000000",
        address="玉山县测试路1号",
        registered_at=NOW,
        version=1,
    )


async def run(place: Place, statement: str, *values: object) -> None:
    async with place.database.transaction() as tx:
        await tx.execute(statement, *values)


@pytest.mark.parametrize("change", USAGE_CHANGES)
async def test_an_altered_line_of_the_usage_record_is_told_and_named(place: Open, change: str) -> None:
    here = await place("certs")
    vault = Vault(here.cipher)
    holder = Holder("111", "11010519491231002X", "测试人甲")
    ids = [str(uuid.uuid4()) for _ in range(3)]
    async with here.database.transaction() as tx:
        await UsageStore(tx, vault).add(
            [
                Usage(
                    each,
                    UsageKind.READ,
                    Reader("11361103TB1000011X", "某局", is_department=True),
                    Purpose("审查", Basis.STATUTORY_DUTY, "item-1", "case-1"),
                    NOW,
                    holder=holder,
                )
                for each in ids
            ]
        )
    async with here.database.transaction() as tx:
        store = UsageStore(tx, vault)
        assert len(await store.of_holder(holder.id_type_code, holder.id_number, None, 10)) == 3
    # What a superuser can do who goes around the trigger.
    await run(here, "alter table usage disable trigger all")
    if change == "licence_id = null":
        change = f"licence_id = '{uuid.uuid4()}'"
    await run(here, f"update usage set {change} where usage_id = $1", uuid.UUID(ids[1]))
    assert await altered_rows(here.database, here.cipher, USAGE, batch_rows=2) == [(ids[1],)]
    async with here.database.transaction() as tx:
        store = UsageStore(tx, vault)
        if not change.startswith("holder_key"):  # then the line is nobody's
            with pytest.raises(Fault, match="ROW_ALTERED") as caught:
                await store.of_holder(holder.id_type_code, holder.id_number, None, 10)
            assert caught.value.metadata["table"] == "usage"


@pytest.mark.parametrize(
    "change",
    [
        "revoked_at = null",
        "licence_id = 'lic-2'",
        "person_id = 'thief'",
        "confirmed_at = confirmed_at - interval '1 day'",
    ],
)
async def test_an_altered_representation_opens_nothing(place: Open, change: str) -> None:
    here = await place("intake")
    for person_id, number in (("org", "1"), ("agent", "2"), ("thief", "3")):
        async with here.database.transaction() as tx:
            person = a_person(person_id, number)
            assert await PersonRows(tx, here.cipher).add(person)
    async with here.database.transaction() as tx:
        rows = RepresentationRows(tx, here.cipher)
        await rows.put(Representation("org", "agent", "lic-1", NOW))
        assert await rows.end_by_licence("lic-1", NOW) == 1
    async with here.database.transaction() as tx:
        found = await RepresentationRows(tx, here.cipher).load("org", "agent")
        assert found
        assert not found.active
    await run(here, f"update representation set {change}")
    async with here.database.transaction() as tx:
        who = "thief" if "thief" in change else "agent"
        with pytest.raises(Fault, match="ROW_ALTERED"):
            await RepresentationRows(tx, here.cipher).load("org", who)


async def test_a_flipped_bit_of_a_ciphertext_or_a_file_is_told(place: Open) -> None:
    here, chance = await place("intake"), random.Random(18)
    person = a_person("p", "1")
    async with here.database.transaction() as tx:
        await PersonRows(tx, here.cipher).add(person)
        row = await tx.fetchrow("select name, id_number, phone, address from person")
    assert row
    for column, value in row.items():
        bit = chance.randrange(len(value) * 8)
        flipped = bytearray(value)
        flipped[bit // 8] ^= 1 << bit % 8
        await run(here, f"update person set {column} = $1", bytes(flipped))
        async with here.database.transaction() as tx:
            with pytest.raises(Fault, match=r"FIELD_UNREADABLE|KEYRING_KEY_UNKNOWN"):
                await PersonRows(tx, here.cipher).read("p")
        await run(here, f"update person set {column} = $1", value)
    files = EncryptedFiles(DirectoryStore(here.directory / "files"), here.cipher)
    keys = [await files.put(b"one" * 99), await files.put(b"two" * 99)]
    for wrapped_anew in (False, True):
        if wrapped_anew:
            for key in keys:
                files.rewrap(key)
        paths = [next(Path(here.directory).rglob(key)) for key in keys]
        whole = paths[0].read_bytes()
        for content in (paths[1].read_bytes(), _flipped(whole, chance)):  # another file's content, a bit
            paths[0].write_bytes(content)
            with pytest.raises(Fault, match=r"FILE_BROKEN|FIELD_UNREADABLE|KEYRING_KEY_UNKNOWN"):
                await files.get(keys[0])
        paths[0].write_bytes(whole)
        assert await files.get(keys[0]) == b"one" * 99


async def test_an_altered_row_of_the_seal_ledger_is_named(stocked: SealWorld) -> None:
    for number in range(4):
        await stocked.deliver(f"licence-{number}")
    changes: list[Any] = [
        "issuer_code = 'x'", "outcome = 'SEAL_EXPIRED'", "used_at = used_at + interval '1 microsecond'",
        "row_hash = set_byte(row_hash, 0, get_byte(row_hash, 0) # 1)",
    ]  # fmt: skip
    for change in changes:
        async with stocked.database.transaction() as tx:
            await tx.execute("alter table seal_use disable trigger all")
            before = await tx.fetchrow("select * from seal_use where sequence = 2")
            await tx.execute(f"update seal_use set {change} where sequence = 2")
        async with stocked.unit() as work:
            assert await check_ledger(work, sm2().digest) == 2
        assert before
        async with stocked.database.transaction() as tx:
            await tx.execute(
                "update seal_use set issuer_code = $1, outcome = $2, used_at = $3, row_hash = $4 where sequence = 2",
                *(before[name] for name in ("issuer_code", "outcome", "used_at", "row_hash")),
            )
    async with stocked.unit() as work:
        assert await check_ledger(work, sm2().digest) is None


def _flipped(data: bytes, chance: random.Random) -> bytes:
    bit, found = chance.randrange(len(data) * 8), bytearray(data)
    found[bit // 8] ^= 1 << bit % 8
    return bytes(found)


@pytest.mark.parametrize(
    "change",
    [
        "seal set status = 'suspended'",
        "seal set since = since + interval '1 microsecond'",
        "seal set version = version - 1",
        "seal_history set status = 'lost' where version = 3",
        "seal_history set since = since - interval '1 s' where version = 3",
        "seal_history set version = 9 where version = 3",
    ],
)
async def test_a_state_of_a_seal_that_its_history_does_not_end_with_seals_nothing(
    stocked: SealWorld, change: str
) -> None:
    async with stocked.database.transaction() as tx:
        await tx.execute("alter table seal_history disable trigger all")
        await tx.execute(f"update {change}")
    with pytest.raises(Fault, match="ROW_ALTERED"):
        await stocked.seal_of(GUANGFENG)
    with pytest.raises(Fault, match="ROW_ALTERED"):
        await stocked.deliver()


@pytest.mark.parametrize("change", ["outcome = 'SEAL_EXPIRED'", "case_id = 'case-2'", "mac = null"])
async def test_an_altered_use_of_a_seal_is_told_by_whoever_reads_it(stocked: SealWorld, change: str) -> None:
    await stocked.deliver()
    async with stocked.database.transaction() as tx:
        await tx.execute("alter table seal_use disable trigger all")
        await tx.execute(f"update seal_use set {change}")
    with pytest.raises(Fault, match="ROW_ALTERED"):
        async with stocked.unit() as work:
            await work.ledger.page(WantedUses(), None, 10)
