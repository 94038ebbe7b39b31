"""Read a licence to show a picture of it; the reading is recorded like that of the document."""

from __future__ import annotations

from datetime import datetime

from chassis.errors import FIELD_REQUIRED
from services.certs.domain.disclosure import narrowed
from services.certs.domain.issuing import LICENCE_TYPE_UNKNOWN
from services.certs.domain.licence import LICENCE_NOT_FOUND, Licence
from services.certs.domain.licence_type import LicenceType, LicenceTypes
from services.certs.domain.purpose import Purpose, category_of, check_purpose
from services.certs.domain.usage import Reader, Usage, UsageKind
from services.certs.usecases.annotate import may_have_original
from services.certs.usecases.ports import NewId, Registry
from services.certs.usecases.read import may_read


async def read_for_preview(
    registry: Registry,
    types: LicenceTypes,
    reader: Reader,
    licence_id: str,
    purpose: Purpose,
    new_id: NewId,
    now: datetime,
) -> tuple[Licence, LicenceType]:
    """Return a licence and its type, to be drawn; the use record has the reading.

    It says no more than the reader may see; who may have the original sees all of it.
    Raises INVALID_REQUEST, LICENCE_NOT_FOUND for one the reader may not know of, LICENCE_TYPE_UNKNOWN.
    """
    check_purpose(purpose, [] if licence_id else [FIELD_REQUIRED.at("licence_id")])
    licence = await registry.licences.get(licence_id)
    if licence is None or not may_read(reader, purpose, licence):
        raise LICENCE_NOT_FOUND()
    kind = types.of(licence)
    if kind is None:
        raise LICENCE_TYPE_UNKNOWN(type_code=licence.type_code)
    line = Usage(
        new_id(),
        UsageKind.PREVIEW,
        reader,
        purpose,
        now,
        licence_id=licence.licence_id,
        holder=licence.holders[0],
        version_read=licence.version,
    )
    await registry.usages.add([line])
    if may_have_original(reader, purpose, licence):
        return licence, kind
    return narrowed(licence, kind, category_of(purpose)), kind
