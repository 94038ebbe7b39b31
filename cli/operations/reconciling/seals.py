"""Compares the whole ledger of seal uses with the signatures there are: in seal's documents and in the licence store.

Every signature that names a seal of ours has its row, and every row its signature. The PDF of a licence has a row
of its own, which names the licence in its detail. Nothing is changed, nothing locked; one document at a time is in
memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from chassis.errors import Fault
from cli.operations.tables import Connection

if TYPE_CHECKING:
    from services.seal.app.documents import DocumentDigests

PAGE = 200
Open = Callable[[bytes], "DocumentDigests | None"]
ReadFile = Callable[[str], bytes]
"""Returns a file of the licence store as it is stored. Raises FILE_NOT_FOUND, FILE_STORE_FAILED."""
Advance = Callable[[int], object]
_LICENCE = "coalesce(u.licence_id, case when t.document_type = 'licence' then nullif(t.item_id, '') end, '') as licence_id"
"""Of which licence a row is: that of a PDF names it in its detail; nobody else seals licences by item."""
_SEALED = f"""
select u.sequence, u.signature_id::text, u.seal_id, {_LICENCE}, u.document_sm3,
  u.signature_sm3, u.used_at, d.sha256
from seal_use u left join seal_use_detail t using (sequence) left join sealed_document d using (signature_id)
where u.outcome = 'sealed' and u.sequence > $1 order by u.sequence limit $2
"""  # noqa: S608 - constants
_DOCUMENT = "select ofd from sealed_document where signature_id = $1::uuid"
_LONE = """
select d.signature_id::text from sealed_document d where d.signature_id > $1::uuid
and not exists (select from seal_use u where u.signature_id = d.signature_id and u.outcome = 'sealed')
order by d.signature_id limit $2
"""
_KNOWN = "select signature_sm3, seal_id from seal_use where outcome = 'sealed' and signature_sm3 = any($1)"
_LICENCES = """
select licence_id::text, signature_id, sealed_sha256 from licence
where origin = 'made' and sealed_sha256 <> '' and licence_id > $1::uuid order by licence_id limit $2
"""
_PDFS = """
select licence_id::text, signature_id, sealed_sha256 from licence_pdf
where state = 'sealed' and licence_id > $1::uuid order by licence_id limit $2
"""
_BY_SIGNATURE = f"""
select u.signature_id::text, {_LICENCE}, u.signature_sm3, d.sha256 from seal_use u
left join seal_use_detail t using (sequence) left join sealed_document d using (signature_id)
where u.outcome = 'sealed' and u.signature_id::text = any($1)
"""  # noqa: S608 - constants
_FIRST_ID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One thing that does not agree: its kind, the id it is about, and what else names it."""

    kind: str
    named: str
    detail: str = ""


@dataclass(slots=True)
class SealReport:
    """How much was compared, and everything that does not agree."""

    rows: int = 0
    documents: int = 0
    signatures: int = 0
    licences: int = 0
    pdfs: int = 0
    """PDFs of licences."""
    discrepancies: list[Discrepancy] = field(default_factory=list)

    def add(self, kind: str, named: object, detail: str = "") -> None:
        """Take note of a discrepancy."""
        self.discrepancies.append(Discrepancy(kind, str(named), detail))


@dataclass(frozen=True, slots=True)
class SealPlaces:
    """What is compared: both databases, how documents of each side are opened, and how files are read."""

    seal: Connection
    certs: Connection
    open_own: Open
    open_licence: Open
    read_file: ReadFile


async def reconcile_seals(
    places: SealPlaces, settled_before: datetime, advance: Advance = lambda _: None
) -> SealReport:
    """Return everything in which ledger and signatures differ; licences of later uses may still be on their way."""
    report = SealReport()
    own = {row["seal_id"] for row in await places.seal.fetch("select seal_id from seal")}
    await _rows(places, own, settled_before, report, advance)
    async for page in _pages(places.seal, _LONE, "signature_id"):
        for row in page:
            report.add("DOCUMENT_WITHOUT_ROW", row["signature_id"])
    async for page in _pages(places.certs, _LICENCES, "licence_id"):
        await _licences(places, own, page, report)
        report.licences += len(page)
        advance(len(page))
    async for page in _pages(places.certs, _PDFS, "licence_id"):
        await _licences(places, own, page, report)
        report.pdfs += len(page)
        advance(len(page))
    return report


async def _rows(
    places: SealPlaces, own: set[str], settled_before: datetime, report: SealReport, advance: Advance
) -> None:
    """Compare every row that says sealed with its document, and those of licences with the registry."""
    after = 0
    while rows := await places.seal.fetch(_SEALED, after, PAGE):
        after = rows[-1]["sequence"]
        opened = {row["signature_id"]: await _judge_row(places, row, report) for row in rows}
        await _judge_signatures(places.seal, own, opened, report)
        settled = [row for row in rows if row["licence_id"] and row["used_at"] < settled_before]
        found = await places.certs.fetch(
            "select licence_id::text from licence where licence_id::text = any($1)",
            [row["licence_id"] for row in settled],
        )
        known = {row["licence_id"] for row in found}
        for row in settled:
            if row["licence_id"] not in known:
                report.add("ROW_WITHOUT_LICENCE", row["licence_id"], f"row {row['sequence']}")
        report.rows += len(rows)
        advance(len(rows))


async def _judge_row(places: SealPlaces, row: Any, report: SealReport) -> DocumentDigests | None:
    where, signature_id = f"row {row['sequence']}", row["signature_id"]
    stored = await places.seal.fetchval(_DOCUMENT, signature_id)
    if stored is None:
        report.add("ROW_WITHOUT_DOCUMENT", signature_id, where)
        return None
    found = places.open_own(stored)
    if found is None:
        report.add("DOCUMENT_UNREADABLE", signature_id, where)
        return None
    report.documents += 1
    if found.sm3 != row["document_sm3"] or found.sha256 != row["sha256"]:
        report.add("DOCUMENT_CHANGED", signature_id, where)
    named = [each.seal_id for each in found.signatures if each.digest == row["signature_sm3"]]
    if not named:
        report.add("SIGNATURE_NOT_IN_DOCUMENT", signature_id, where)
    elif row["seal_id"] not in named:
        report.add("SIGNATURE_OF_OTHER_SEAL", signature_id, f"{where}: {named[0]} for {row['seal_id']}")
    return found


async def _judge_signatures(
    seal: Connection, own: set[str], opened: Mapping[str, DocumentDigests | None], report: SealReport
) -> None:
    """Name every signature with a seal of ours that no row knows."""
    wanted = {
        signature.digest: (named, signature.seal_id)
        for named, document in opened.items()
        if document is not None
        for signature in document.signatures
        if signature.seal_id in own
    }
    report.signatures += len(wanted)
    known = {row["signature_sm3"] for row in await seal.fetch(_KNOWN, list(wanted))}
    for digest in wanted.keys() - known:
        named, seal_id = wanted[digest]
        report.add("SIGNATURE_WITHOUT_ROW", named, f"{digest}, seal {seal_id}")


async def _licences(places: SealPlaces, own: set[str], licences: Sequence[Any], report: SealReport) -> None:
    """Compare sealed documents of licences, their files opened, with the rows of their signatures."""
    ids = [row["signature_id"] for row in licences]
    rows = {row["signature_id"]: row for row in await places.seal.fetch(_BY_SIGNATURE, ids)}
    opened: dict[str, DocumentDigests | None] = {}
    for licence in licences:
        named, row = licence["licence_id"], rows.get(licence["signature_id"])
        if row is None:
            report.add("LICENCE_WITHOUT_ROW", named, licence["signature_id"])
        elif row["licence_id"] != named:
            report.add("ROW_OF_OTHER_LICENCE", named, licence["signature_id"])
        elif row["sha256"] not in {None, licence["sealed_sha256"]}:
            report.add("LICENCE_DOCUMENT_CHANGED", named, licence["signature_id"])
        found = opened[named] = _open_file(places, licence, report)
        if found is not None and row is not None and row["signature_sm3"] not in found.signatures_sm3:
            report.add("SIGNATURE_NOT_IN_LICENCE", named, licence["signature_id"])
    await _judge_signatures(places.seal, own, opened, report)


def _open_file(places: SealPlaces, licence: Any, report: SealReport) -> DocumentDigests | None:
    try:
        stored = places.read_file(licence["sealed_sha256"])
    except Fault as fault:
        report.add("LICENCE_FILE_MISSING", licence["licence_id"], fault.code)
        return None
    found = places.open_licence(stored)
    if found is None:
        report.add("LICENCE_FILE_UNREADABLE", licence["licence_id"])
    elif found.sha256 != licence["sealed_sha256"]:
        report.add("LICENCE_FILE_CHANGED", licence["licence_id"])
    return found


async def _pages(connection: Connection, query: str, key: str) -> AsyncIterator[Sequence[Any]]:
    after = _FIRST_ID
    while rows := await connection.fetch(query, after, PAGE):
        after = rows[-1][key]
        yield rows
