"""The package: members in a fixed order, fixed times, no directory entries; equal licences, equal bytes."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chassis.fonts import subset
from services.certs.domain.licence import Licence
from services.certs.domain.licence_type import LicenceType
from services.certs.domain.metadata import record_of
from services.certs.domain.ofd.layout import SEAL_X_MM, SEAL_Y_MM, Page, lay_out
from services.certs.domain.ofd.markup import (
    ATTACHMENT_FILE,
    FONT_FILE,
    attachments_xml,
    document_xml,
    page_xml,
    resources_xml,
    root_xml,
)

_EPOCH = (1980, 1, 1, 0, 0, 0)
_STORED = (".ttf", ".png")  # fonts and images do not shrink
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
    return render_page(licence, kind, record_of(licence))


def render_page(
    licence: Licence,
    kind: LicenceType,
    record: Mapping[str, str],
    overlay: Callable[[Page], Page] | None = None,
) -> Rendered:
    """Return the unsealed document with a metadata record, and something over the page. Raises FACE_TOO_LONG."""
    page = lay_out(licence, kind)
    if overlay is not None:
        page = overlay(page)
    content, last_id = page_xml(page)
    attachment = _json(record)
    members = {
        "OFD.xml": root_xml(licence, record),
        "Doc_0/Document.xml": document_xml(last_id),
        "Doc_0/PublicRes.xml": resources_xml(),
        f"Doc_0/Res/{FONT_FILE}": subset(page.characters),
        "Doc_0/Pages/Page_0/Content.xml": content,
        "Doc_0/Attachs/Attachments.xml": attachments_xml(licence, len(attachment)),
        f"Doc_0/Attachs/{ATTACHMENT_FILE}": attachment,
    }
    return Rendered(_zip(members), SEAL_X_MM, SEAL_Y_MM)


def _zip(members: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as package:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 0
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(_STORED) else zipfile.ZIP_DEFLATED
            package.writestr(entry, content, compresslevel=9)
    return target.getvalue()


def _json(record: Mapping[str, str]) -> bytes:
    """Return the record as ``json.dumps`` writes it with one blank of indent, which only its slow encoder does."""
    lines = [f" {_string(name)}: {_string(value)}" for name, value in sorted(record.items())]
    return "{{\n{}\n}}".format(",\n".join(lines)).encode()
