"""What of a licence is encrypted, and the keys by which the encrypted parts are found.

``subject`` holds identifier, licence number and holders; ``face`` the face fields. Both are JSON,
encrypted as one value each, so that a row costs two encryptions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from asyncpg.pgproto.pgproto import UUID  # a uuid.UUID that costs a tenth to make, to send and to store
from pydantic import TypeAdapter
from pydantic_core import from_json

from chassis.fields import FieldCipher
from chassis.row_codes import CodedTable
from services.certs.domain.disclosure import public_identifier
from services.certs.domain.holder import Holder, holder_key
from services.certs.domain.importing.codes import lineage_key
from services.certs.domain.licence import Licence
from services.certs.usecases.import_ports import SealedRow

SUBJECT = "licence.subject"
FACE = "licence.face"
HOLDER, LINEAGE = "licence.holder", "licence.lineage"
IDENTIFIER, NUMBER = "licence.identifier", "licence.number"
STATEMENT = "dispute.statement"
OFFERED = "import_conflict.offered"
Subject = tuple[str, str, tuple[Holder, ...]]
"""Identifier, licence number, holders."""


class Vault:
    """Encrypts and finds the personal parts of licences."""

    def __init__(self, cipher: FieldCipher) -> None:
        self._cipher = cipher

    def seal_subject(self, licence: Licence) -> bytes:
        """Return the encrypted identifier, number and holders."""
        return self._cipher.encrypt_bytes(_subject(licence), field=SUBJECT)

    def open_subject(self, sealed: bytes) -> Subject:
        """Return what `seal_subject` encrypted. Raises FIELD_UNREADABLE."""
        return self.open_subjects((sealed,))[0]

    def open_subjects(self, sealed: Iterable[bytes]) -> list[Subject]:
        """Return what `seal_subject` encrypted, of many licences. Raises FIELD_UNREADABLE."""
        opened = map(from_json, self._cipher.decrypt_many(sealed, field=SUBJECT))
        return [
            (identifier, number, tuple([Holder(*each) for each in holders]))
            for identifier, number, holders in opened
        ]

    def seal_face(self, face: Mapping[str, str]) -> bytes:
        """Return the encrypted face fields."""
        return self._cipher.encrypt(_json(dict(face)), field=FACE)

    def open_face(self, sealed: bytes) -> dict[str, str]:
        """Return what `seal_face` encrypted. Raises FIELD_UNREADABLE."""
        return self.open_faces((sealed,))[0]

    def open_faces(self, sealed: Iterable[bytes]) -> list[dict[str, str]]:
        """Return what `seal_face` encrypted, of many licences. Raises FIELD_UNREADABLE."""
        return list(map(from_json, self._cipher.decrypt_many(sealed, field=FACE)))

    def seal(self, plain: str, *, field: str) -> bytes:
        """Return a text encrypted as a field of its own."""
        return self._cipher.encrypt(plain, field=field)

    def open(self, sealed: bytes, *, field: str) -> str:
        """Return what `seal` encrypted. Raises FIELD_UNREADABLE."""
        return self._cipher.decrypt(sealed, field=field)

    def seal_offered(self, fields: Mapping[str, str]) -> bytes:
        """Return an imported row encrypted, as its source sent it."""
        return self._cipher.encrypt(_json(dict(fields)), field=OFFERED)

    def open_offered(self, sealed: bytes) -> dict[str, str]:
        """Return what `seal_offered` encrypted. Raises FIELD_UNREADABLE."""
        found: dict[str, str] = from_json(self._cipher.decrypt_bytes(sealed, field=OFFERED))
        return found

    def seal_statement(self, statement: str) -> bytes:
        """Return the encrypted words of a holder's dispute."""
        return self._cipher.encrypt(statement, field=STATEMENT)

    def open_statement(self, sealed: bytes) -> str:
        """Return what `seal_statement` encrypted. Raises FIELD_UNREADABLE."""
        return self._cipher.decrypt(sealed, field=STATEMENT)

    def seal_rows(self, licences: Sequence[Licence]) -> list[SealedRow]:
        """Return everything of each licence that is encrypted or an index, column by column."""
        index, encrypt = self._cipher.blind_indexes, self._cipher.encrypt_many
        lineages = index((lineage_key(each.identifier).encode() for each in licences), field=LINEAGE)
        holders = iter(
            index((each.index_key.encode() for one in licences for each in one.holders), field=HOLDER)
        )
        columns = (
            (UUID(each[:16]) for each in lineages),
            map(public_identifier, licences),
            index((each.identifier.encode() for each in licences), field=IDENTIFIER),
            index((_number(each.number).encode() for each in licences), field=NUMBER),
            (tuple(islice(holders, len(each.holders))) for each in licences),
            encrypt(map(_subject, licences), field=SUBJECT),
            encrypt((_texts(dict(each.face)) for each in licences), field=FACE),
        )
        return list(map(SealedRow._make, zip(*columns, strict=True)))

    def holder_key(self, id_type_code: str, id_number: str) -> bytes:
        """Return the blind index of a holder."""
        return self.holder_keys(((id_type_code, id_number),))[0]

    def holder_keys(self, holders: Iterable[tuple[str, str]]) -> list[bytes]:
        """Return the blind index of each of many holders, given as type of identity document and number."""
        return self._cipher.blind_indexes((holder_key(*each).encode() for each in holders), field=HOLDER)

    def coded(self, table: CodedTable, values: Sequence[object]) -> tuple[object, ...]:
        """Return a row's values, in the order of the table's columns, with their integrity code at the end."""
        return table.coded(self._cipher, values)

    def coded_each(self, table: CodedTable, rows: Iterable[Sequence[object]]) -> Iterator[tuple[object, ...]]:
        """Yield what `coded` returns of each row."""
        return table.coded_each(self._cipher, rows)

    def row_code(self, table: CodedTable, row: Mapping[str, object]) -> bytes:
        """Return the integrity code of a row."""
        return table.code(self._cipher, row)

    def check_row(self, table: CodedTable, row: Any) -> None:
        """Return if a row is as it was written. Raises ROW_ALTERED."""
        table.check(self._cipher, row)

    def identifier_key(self, identifier: str) -> bytes:
        """Return the blind index of an identifier; some identifiers hold an identity number."""
        return self._cipher.blind_index(identifier, field=IDENTIFIER)

    def number_key(self, number: str) -> bytes:
        """Return the blind index of a licence number; case and blanks make no difference."""
        return self._cipher.blind_index(_number(number), field=NUMBER)

    def lineage_id(self, identifier: str) -> UUID:
        """Return the lineage of an identifier: the same for all its versions, told without a look-up."""
        digest = self._cipher.blind_index(lineage_key(identifier), field=LINEAGE)
        return UUID(digest[:16])

    def content_keys(self, rows: Iterable[Mapping[str, str]]) -> list[bytes]:
        """Return a keyed digest of each imported row; rows hold no empty value and no space around one."""
        contents = (_texts(dict(sorted(each.items()))) for each in rows)
        return self._cipher.blind_indexes(contents, field="licence.content")


def _number(number: str) -> str:
    return "".join(number.split()).upper()


def _subject(licence: Licence) -> bytes:
    holders = [(each.id_type_code, each.id_number, each.name) for each in licence.holders]
    return _subjects((licence.identifier, licence.number, holders))


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_texts = TypeAdapter(dict[str, str]).dump_json
"""What `_json` writes of texts, as UTF-8: of a thousand rows three thousand are written."""
_subjects = TypeAdapter(tuple[str, str, list[tuple[str, str, str]]]).dump_json
