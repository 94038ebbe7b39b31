"""The package of a closed case: everything it rests on, in one file that verifies without us (GB/T 42727 shape).

1. Read the case and its timeline in one transaction.
2. Fetch the uploaded files and the sealed result licences; nothing is held open meanwhile.
3. Write the manifest: each entry with its SM3 and SHA-256 digest, signed by intake.
4. Keep the package, then record it with the event in one transaction.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chassis.auth.person import ActingPerson
from chassis.errors import Kind, declare
from services.intake.domain.archive import archive_entries
from services.intake.domain.cases.case import CASE_NOT_FOUND, Case, Step
from services.intake.domain.cases.materials import SupplyKind
from services.intake.usecases.cases.announce import Details
from services.intake.usecases.cases.mandates import principal_of
from services.intake.usecases.cases.ports import (
    ArchiveRecord,
    Files,
    Licences,
    OpenWork,
    SignDocument,
    TimelineEntry,
    Work,
)
from services.intake.usecases.cases.record import load_own, record

MANIFEST_KIND = "archive-manifest"
MANIFEST_NAME = "manifest.jws"
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)
"""Of every entry, so that equal contents give equal packages."""

CASE_NOT_ARCHIVED = declare(
    "CASE_NOT_ARCHIVED", Kind.NOT_FOUND, "该办件尚未归档", "The case is not archived yet"
)


@dataclass(frozen=True, slots=True)
class Package:
    """A package (归档包) that is kept but not recorded yet."""

    case_id: str
    file_id: str
    sha256: str
    sm3: str
    size_bytes: int
    manifest: str


async def build_archive(
    open_work: OpenWork, licences: Licences, files: Files, sign: SignDocument, case_id: str
) -> Package | None:
    """Return the kept package of a closed case; None when the case is archived already.

    Raises CASE_NOT_FOUND, PEER_UNAVAILABLE while a sealed licence cannot be fetched.
    """
    async with open_work() as work:
        case = await work.cases.load(case_id)
        if case is None or case.closed_at is None:
            raise CASE_NOT_FOUND()
        if case.archived_at is not None:
            return None
        applicant = await work.persons.load(case.person_id)
        timeline = await work.timeline.of_case(case_id)
    entries = archive_entries(case, applicant, [_line(each) for each in timeline])
    entries |= await _uploads(files, case)
    entries |= await _results(licences, case)
    manifest = sign(await asyncio.to_thread(_manifest, case, entries), MANIFEST_KIND)
    package = await asyncio.to_thread(_zip, entries | {MANIFEST_NAME: manifest.encode()})
    sha256, sm3 = await asyncio.to_thread(_digests, package)
    return Package(case_id, await files.put(package), sha256, sm3, len(package), manifest)


async def record_archive(work: Work, package: Package) -> None:
    """Record a package once and tell so. Raises CASE_NOT_FOUND."""
    case = await work.cases.load(package.case_id, lock=True)
    if case is None:
        raise CASE_NOT_FOUND()
    if case.archived_at is not None:
        return
    now = work.now()
    case.archived_at = now
    case.record(Step.ARCHIVED, now)
    await work.archive.add(
        ArchiveRecord(
            package.case_id,
            package.file_id,
            package.sha256,
            package.sm3,
            package.size_bytes,
            package.manifest,
            now,
        )
    )
    await record(work, case, Details(package_sha256=package.sha256))


async def get_archive(
    open_work: OpenWork, files: Files, actor: ActingPerson, case_id: str
) -> tuple[ArchiveRecord, bytes]:
    """Return the package of an own case. Raises CASE_NOT_FOUND, CASE_NOT_ARCHIVED."""
    async with open_work() as work:
        case = await load_own(work, actor, case_id)
        if case.person_id != principal_of(actor):
            raise CASE_NOT_FOUND()  # it has the applicant's data in clear, which an agent is not shown
        found = await work.archive.of_case(case_id)
    if found is None:
        raise CASE_NOT_ARCHIVED()
    return found, await files.get(found.file_id)


async def _uploads(files: Files, case: Case) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    supplies = [("case", case.supplies), *((part_id, each) for part_id, each in case.part_supplies.items())]
    for owner, materials in supplies:
        for code, supplied in materials.items():
            if supplied.kind is SupplyKind.UPLOAD:
                ending = _ENDINGS.get(supplied.media_type, "bin")
                found[f"materials/{owner}/{code}.{ending}"] = await files.get(supplied.file_id)
    return found


async def _results(licences: Licences, case: Case) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in case.parts:
        if part.licence is not None:
            found[f"results/{part.part_id}.ofd"] = await licences.document(
                part.licence.licence_id,
                use_cause="办结归档",
                item_code=part.item.item_code,
                case_id=case.case_id,
            )
    return found


def _manifest(case: Case, entries: Mapping[str, bytes]) -> dict[str, Any]:
    return {
        "case_id": case.case_id,
        "case_no": case.case_no or "",
        "closed_at": case.closed_at.isoformat() if case.closed_at else "",
        "handed_in_digest": case.digest,
        "files": [_file(name, entries[name]) for name in sorted(entries)],
    }


def _file(name: str, content: bytes) -> dict[str, Any]:
    sha256, sm3 = _digests(content)
    return {"name": name, "size_bytes": len(content), "sm3": sm3, "sha256": sha256}


def _digests(content: bytes) -> tuple[str, str]:
    return hashlib.sha256(content).hexdigest(), hashlib.new("sm3", content).hexdigest()


def _zip(entries: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(entries):
            archive.writestr(zipfile.ZipInfo(name, _FIXED_TIME), entries[name], zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _line(entry: TimelineEntry) -> dict[str, str]:
    return {
        "at": entry.at.isoformat(),
        "service": entry.service,
        "what": entry.what,
        "reference": entry.reference,
    }


_ENDINGS = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png", "application/ofd": "ofd"}
