"""Read the documents of a request; list and get published types."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.errors import FIELD_REQUIRED, FIELD_TOO_LONG, Kind, Violation, declare, refuse
from services.certs.domain.licence_type import LicenceType, read_type
from services.certs.usecases.licence_types.ports import PublishedType, TypeRecords

SOURCE_LIMIT = 200
TYPES_LIMIT = 200
"""Types of one request; the national directory has some hundred, no authority defines more."""

LICENCE_TYPE_NOT_FOUND = declare(
    "LICENCE_TYPE_VERSION_NOT_FOUND",
    Kind.NOT_FOUND,
    "没有该证照类型或版本",
    "No such licence type, or version",
)
LICENCE_TYPE_TWICE = declare(
    "LICENCE_TYPE_TWICE", Kind.INVALID_ARGUMENT, "同一类型出现两次", "The same type stands twice"
)


def read_documents(documents: Sequence[object], source: str) -> list[LicenceType]:
    """Return the types of a request. Raises INVALID_REQUEST naming every wrong field of every document."""
    wrong: list[Violation] = []
    if not documents:
        wrong.append(FIELD_REQUIRED.at("types"))
    if len(documents) > TYPES_LIMIT:
        wrong.append(FIELD_TOO_LONG.at("types", limit=TYPES_LIMIT))
    if len(source) > SOURCE_LIMIT:
        wrong.append(FIELD_TOO_LONG.at("source", limit=SOURCE_LIMIT))
    refuse(wrong)
    found: dict[str, LicenceType] = {}
    for index, document in enumerate(documents):
        kind, problems = read_type(document, f"types[{index}]")
        wrong += problems
        if kind.code in found and not problems:
            wrong.append(LICENCE_TYPE_TWICE.at(f"types[{index}].code"))
        found[kind.code] = kind
    refuse(wrong)
    return list(found.values())


async def list_types(records: TypeRecords, after: str, limit: int) -> list[PublishedType]:
    """Return the newest versions by code, those after ``after``."""
    newest = {each.kind.code: each for each in await records.all()}
    return [newest[code] for code in sorted(newest) if code > after][:limit]


async def get_type(records: TypeRecords, type_code: str, version: int) -> PublishedType:
    """Return a version of a type, the newest for 0. Raises INVALID_REQUEST, LICENCE_TYPE_VERSION_NOT_FOUND."""
    refuse([] if type_code else [FIELD_REQUIRED.at("type_code")])
    found = [each for each in await records.all() if each.kind.code == type_code]
    for each in reversed(found):
        if version in {0, each.kind.version}:
            return each
    raise LICENCE_TYPE_NOT_FOUND()
