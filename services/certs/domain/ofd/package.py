"""The package: members in a fixed order, fixed times, no directory entries; equal licences, equal bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from chassis.fonts import subset
from services.certs.domain.licence import Licence
from services.certs.domain.licence_type import LicenceType
from services.certs.domain.metadata import record_of
from services.certs.domain.ofd.archive import Entry, archive, deflated, stored
from services.certs.domain.ofd.layout import SEAL_X_MM, SEAL_Y_MM, lay_out
from services.certs.domain.ofd.markup import (
    ATTACHMENT_FILE,
    FONT_FILE,
    attachments_xml,
    document_xml,
    page_xml,
    resources_xml,
    root_xml,
)

_string = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Rendered:
    """An unsealed document and where its seal goes: top left corner of the box, millimetres, page 1."""

    ofd: bytes = field(repr=False)
    seal_x_mm: float
    seal_y_mm: float

    @property
    def sha256(self) -> str:
        """The hex digest of the package."""
        return hashlib.sha256(self.ofd).hexdigest()


def render(licence: Licence, kind: LicenceType) -> Rendered:
    """Return the unsealed document of a licence. Raises FACE_TOO_LONG."""
    record = record_of(licence)
    page = lay_out(licence, kind)
    content, last_id = page_xml(page)
    attachment = _json(record)
    entries = [
        deflated("OFD.xml", root_xml(licence, record)),
        *_of_every_licence(last_id),
        stored(f"Doc_0/Res/{FONT_FILE}", subset(page.characters)),
        deflated("Doc_0/Pages/Page_0/Content.xml", content),
        deflated("Doc_0/Attachs/Attachments.xml", attachments_xml(licence, len(attachment))),
        deflated(f"Doc_0/Attachs/{ATTACHMENT_FILE}", attachment),
    ]
    return Rendered(archive(entries), SEAL_X_MM, SEAL_Y_MM)


@lru_cache(maxsize=256)
def _of_every_licence(last_id: int) -> tuple[Entry, Entry]:
    """Return the members that differ by the number of objects alone, packed once."""
    return deflated("Doc_0/Document.xml", document_xml(last_id)), deflated(
        "Doc_0/PublicRes.xml", resources_xml()
    )


def _json(record: Mapping[str, str]) -> bytes:
    """Return the record as ``json.dumps`` writes it with one blank of indent, which only its slow encoder does."""
    lines = [f" {_string(name)}: {_string(value)}" for name, value in sorted(record.items())]
    return "{{\n{}\n}}".format(",\n".join(lines)).encode()
