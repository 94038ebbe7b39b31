"""Ledger and signatures compared, both ways; each side is doctored in one thing at a time and that is named."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from chassis.fields import FieldCipher
from chassis.files import DirectoryStore
from chassis.keyring import new_keyring, parse_keyring
from chassis.migrate import migrate
from cli.local.authority import open_authority
from cli.operations.reconciling.seals import SealPlaces, SealReport, reconcile_seals
from services.seal.app.documents import StoredDocuments
from services.seal.domain.ledger import signature_id_of
from services.seal.domain.sealing import Placement, Protect, seal_document
from tests.integration.seal.conftest import FIELD_KEYS, GUANGFENG, NOW, SealWorld
from tests.integration.seal.doors import Doors
from tests.unit.seal.pdf.pdf_room import plain_pdf
from tests.unit.seal.sealing_room import ofd_files, pack
from tongban.seal.v1 import use_pb2

INSERT = """
insert into licence (licence_id, lineage_id, identifier, identifier_key, type_code, type_name, issuer_code,
  issuer_name, county_code, holder_key, subject, face, issued_date, status, origin, trust_grade, quality_flags,
  version, serial_version, case_id, part_id, item_code, sealed_sha256, signature_id, created_at, updated_at)
values ($1, $1, 'x', $5, 't', 't', $2, 'n', '361103', '', '', '', '2026-11-22', 'valid', 'made', 'A',
  '{}', 1, 1, 'case-1', $6, 'i', $3, $4, now(), now())
"""


@dataclass
class Books:
    """Three licences, two notices and a PDF, sealed; the registry has the licences' documents."""

    doors: Doors
    certs: asyncpg.Connection
    seal: asyncpg.Connection
    files: DirectoryStore
    keys: Path
    licences: list[str]

    @property
    def world(self) -> SealWorld:
        return self.doors.world

    async def compare(self, settle: timedelta = timedelta()) -> SealReport:
        own, licences = StoredDocuments(self.keys / "seal"), StoredDocuments(self.keys / "certs", "certs")
        places = SealPlaces(self.seal, self.certs, own.digests, licences.digests, self.files.stored)
        return await reconcile_seals(places, self.world.clock() + timedelta(seconds=1) - settle)

    async def kinds(self) -> dict[str, str]:
        return {each.kind: each.named for each in (await self.compare()).discrepancies}

    async def take_over(self, licence_id: str) -> None:
        document = await self.world.sealed(licence_id)
        key = await self.files.put(document)
        await self.certs.execute(
            INSERT,
            uuid.UUID(licence_id),
            GUANGFENG.code,
            key,
            signature_id_of(licence_id),
            licence_id.encode(),
            licence_id,
        )

    async def sealed_apart(self, mode: Protect = Protect.WHOLE, document: bytes | None = None) -> bytes:
        """Return a document under the seal that no ledger knows."""
        async with self.world.unit() as work:
            in_use = await self.world.cabinet.take(work.seals, self.doors.seal_id)
        places = [Placement(1, 130, 220, 42, 42)]
        return seal_document(
            document or pack(ofd_files(2)), in_use, places, self.world.clock(), mode=mode
        ).data

    async def doctor(
        self, statement: str, *values: object, connection: asyncpg.Connection | None = None
    ) -> None:
        """Change what cannot be changed."""
        to = connection or self.seal
        await to.execute("set session_replication_role = replica")
        await to.execute(statement, *values)


@pytest.fixture
async def books(stocked: SealWorld, fresh_database, tmp_path: Path) -> AsyncIterator[Books]:
    dsn = await fresh_database()
    await migrate("certs", dsn)
    certs_keys = new_keyring(NOW)
    (tmp_path / "certs").write_text(certs_keys)
    (tmp_path / "seal").write_text(FIELD_KEYS)
    async with AsyncExitStack() as stack:
        doors = Doors(stocked, open_authority(tmp_path / "ca"), stack)
        await doors.open()
        certs, seal = await asyncpg.connect(dsn), await asyncpg.connect(stocked.dsn)
        stack.push_async_callback(certs.close)
        stack.push_async_callback(seal.close)
        files = DirectoryStore(
            tmp_path / "documents", FieldCipher(parse_keyring(certs_keys), service="certs")
        )
        made = Books(doors, certs, seal, files, tmp_path, [str(uuid.uuid4()) for _ in range(3)])
        for licence_id in made.licences:
            await stocked.deliver(licence_id)
            await made.take_over(licence_id)
        await doors.grant()
        first = await doors.seal(pack(ofd_files(2)), mode=use_pb2.PROTECT_MODE_CONTINUE)
        await doors.seal(first[1])
        await doors.seal(plain_pdf(), format=use_pb2.DOCUMENT_FORMAT_PDF)
        yield made


async def test_books_that_agree(books: Books):
    report = await books.compare()
    assert report.discrepancies == []
    assert (report.rows, report.documents, report.licences) == (6, 6, 3)
    assert report.signatures == 6 + 3, (
        "the closed notice carries the open one's signature, licences stand twice"
    )


async def test_a_missing_row_is_named_by_document_licence_and_signature(books: Books):
    licence_id = books.licences[1]
    await books.doctor("delete from seal_use where licence_id = $1", licence_id)
    assert await books.kinds() == {
        "DOCUMENT_WITHOUT_ROW": signature_id_of(licence_id),
        "LICENCE_WITHOUT_ROW": licence_id,
        "SIGNATURE_WITHOUT_ROW": licence_id,
    }


async def test_a_signature_that_no_row_knows_is_found_in_the_licence_store(books: Books):
    licence_id, extra = books.licences[0], await books.sealed_apart()
    key = await books.files.put(extra)
    await books.doctor(
        "update licence set sealed_sha256 = $2 where licence_id = $1::uuid",
        licence_id,
        key,
        connection=books.certs,
    )
    assert await books.kinds() == {
        "LICENCE_DOCUMENT_CHANGED": licence_id,
        "SIGNATURE_NOT_IN_LICENCE": licence_id,
        "SIGNATURE_WITHOUT_ROW": licence_id,
    }


async def test_an_extra_signature_under_a_sealed_document_is_found(books: Books):
    _, opened = await books.doors.seal(pack(ofd_files(3)), mode=use_pb2.PROTECT_MODE_CONTINUE)
    extra = await books.sealed_apart(document=opened)
    row = await books.seal.fetchrow("select signature_id::text from seal_use order by sequence desc limit 1")
    stored = books.world.cipher.encrypt_bytes(extra, field="sealed_document.ofd")
    await books.doctor(
        "update sealed_document set ofd = $2, sha256 = $3 where signature_id = $1::uuid",
        row["signature_id"],
        stored,
        hashlib.sha256(extra).hexdigest(),
    )
    assert await books.kinds() == {
        "DOCUMENT_CHANGED": row["signature_id"],
        "SIGNATURE_WITHOUT_ROW": row["signature_id"],
    }


DOCTORED = {
    "update seal_use set document_sm3 = repeat('0', 64)": {"DOCUMENT_CHANGED"},
    "update seal_use set signature_sm3 = repeat('0', 64)": {
        "SIGNATURE_NOT_IN_DOCUMENT",
        "SIGNATURE_WITHOUT_ROW",
        "SIGNATURE_NOT_IN_LICENCE",
    },
    "update seal_use set seal_id = 'other'": {"SIGNATURE_OF_OTHER_SEAL"},
    "update seal_use set licence_id = 'other'": {"ROW_WITHOUT_LICENCE", "ROW_OF_OTHER_LICENCE"},
    "update sealed_document set ofd = 'x'": {"DOCUMENT_UNREADABLE"},
    "update sealed_document set sha256 = 'x'": {"DOCUMENT_CHANGED", "LICENCE_DOCUMENT_CHANGED"},
    "delete from sealed_document": {"ROW_WITHOUT_DOCUMENT"},
}


async def test_a_doctored_row_is_named(books: Books):
    signature_id = signature_id_of(books.licences[2])
    for change, kinds in DOCTORED.items():
        doctoring = books.seal.transaction()
        await doctoring.start()
        await books.doctor(f"{change} where signature_id = '{signature_id}'")
        found = await books.kinds()
        await doctoring.rollback()
        assert found.keys() == kinds, change
        assert set(found.values()) <= {signature_id, books.licences[2], "other"}, change
    assert await books.kinds() == {}


async def test_a_licence_that_is_gone_or_its_file_is_named_and_one_on_its_way_is_not(books: Books):
    licence_id = books.licences[0]
    key = await books.certs.fetchval(
        "select sealed_sha256 from licence where licence_id = $1::uuid", licence_id
    )
    same = await books.certs.fetchval("select count(*) from licence where sealed_sha256 = $1", key)
    assert same == 1
    await books.files.remove(key)
    assert await books.kinds() == {"LICENCE_FILE_MISSING": licence_id}
    await books.doctor("delete from licence where licence_id = $1::uuid", licence_id, connection=books.certs)
    assert await books.kinds() == {"ROW_WITHOUT_LICENCE": licence_id}
    assert (await books.compare(settle=timedelta(hours=1))).discrepancies == []
