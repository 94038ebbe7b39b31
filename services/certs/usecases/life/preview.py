"""Read a licence to show a picture of it; the reading is recorded like that of the document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from chassis.errors import FIELD_REQUIRED
from services.certs.domain.disclosure import narrowed
from services.certs.domain.issuing import LICENCE_TYPE_UNKNOWN
from services.certs.domain.licence import LICENCE_NOT_FOUND, Licence
from services.certs.domain.licence_type import LicenceType, LicenceTypes
from services.certs.domain.purpose import Purpose, category_of, check_purpose
from services.certs.domain.usage import Reader, UsageKind
from services.certs.domain.use_code import Grounds
from services.certs.usecases.annotate import may_have_original, require_usable, use_line
from services.certs.usecases.ports import NewId, Registry
from services.certs.usecases.read import may_read


async def read_for_preview(
    registry: Registry,
    types: LicenceTypes,
    reader: Reader,
    key: tuple[str, str],
    purpose: Purpose,
    new_id: NewId,
    now: datetime,
    *,
    grounds: Grounds | None = None,
    covers: Callable[[str], bool] = lambda _type_code: True,
    in_force: bool = False,
) -> tuple[Licence, LicenceType]:
    """Return a licence and its type, to be drawn, by ``(licence_id, identifier)`` of which either may be empty.

    It says no more than the reader may see; who may have the original sees all of it. The use record has the
    reading. A type that ``covers`` leaves out is as if it were not there. Raises INVALID_REQUEST,
    LICENCE_NOT_FOUND for one the reader may not know of, LICENCE_TYPE_UNKNOWN, and LICENCE_NOT_USABLE where
    only one ``in_force`` will do.
    """
    check_purpose(purpose, [] if any(key) else [FIELD_REQUIRED.at("licence_id")])
    licence = await (registry.licences.get(key[0]) if key[0] else registry.licences.by_identifier(key[1]))
    if licence is None or not may_read(reader, purpose, licence) or not covers(licence.type_code):
        raise LICENCE_NOT_FOUND()
    if in_force:
        require_usable(registry, reader, purpose, licence, new_id, now, UsageKind.PREVIEW)
    kind = types.of(licence)
    if kind is None:
        raise LICENCE_TYPE_UNKNOWN(type_code=licence.type_code)
    line = use_line(new_id(), UsageKind.PREVIEW, reader, purpose, licence, now)
    if grounds is not None:
        line = replace(line, grounds=replace(grounds, licence_version=licence.version))
    await registry.usages.add([line])
    if may_have_original(reader, purpose, licence):
        return licence, kind
    return narrowed(licence, kind, category_of(purpose)), kind
