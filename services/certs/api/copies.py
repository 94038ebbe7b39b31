"""The copies and pictures of the sharing interface: by identifier, by holder, and by a copy's address."""

from __future__ import annotations

import asyncio
import base64
from datetime import datetime
from typing import Any

from services.certs.api.asking import local, moment, need
from services.certs.api.door import SHARING_CALLS, Visit, new_id
from services.certs.api.shapes import FileAsked, HolderUrlAsked, OfIdentifier, UrlAsked
from services.certs.domain.ofd.preview import preview
from services.certs.domain.purpose import Purpose
from services.certs.domain.use_code import Grounds
from services.certs.usecases.annotate import Copy, fetch_copy, make_annotated_copy, picture
from services.certs.usecases.copies_of_holder import COPIES_LIMIT, make_copies_of_holder
from services.certs.usecases.life.preview import read_for_preview
from services.certs.usecases.search import Query


async def address(visit: Visit, asked: UrlAsked) -> dict[str, Any]:
    """Make an annotated copy and return where the caller, and nobody else, fetches it once within ten minutes."""
    need(certIdentifier=asked.certIdentifier)
    purpose, grounds = visit.purpose(asked.useCause, asked)
    end = moment("expiryTime", asked.expiryTime)
    copy = await _copy(visit, asked.certIdentifier, purpose, grounds, end, with_ticket=True)
    return {"contentType": "url", "content": _address(copy), "certIdentifier": asked.certIdentifier}


async def addresses_of_holder(visit: Visit, asked: HolderUrlAsked) -> list[dict[str, Any]]:
    """Make copies of what a holder has in force of one type and return their addresses.

    Raises LICENCE_NOT_FOUND, LICENCE_NOT_USABLE, LICENCE_IN_DISPUTE, HOLDER_HAS_TOO_MANY.
    """
    need(holderCode=asked.holderCode, holderTypeCode=asked.holderTypeCode, certTypeCode=asked.certTypeCode)
    visit.check_type(asked.certTypeCode)
    holder = (asked.holderTypeCode, asked.holderCode)
    query = Query(holder=holder, type_codes=(asked.certTypeCode,), holders_number=asked.certNo)
    purpose, grounds = visit.purpose(asked.useCause, asked)
    door, end = visit.door, moment("expiryTime", asked.expiryTime)
    async with door.database.transaction() as tx:
        copies = await make_copies_of_holder(
            door.registry_of(tx),
            door.types,
            door.signer,
            visit.reader,
            query,
            purpose,
            end,
            new_id,
            door.clock(),
            grounds=grounds,
            covers=visit.covers,
        )
    return [
        {
            "contentType": "url",
            "content": _address(each),
            "certIdentifier": each.licence.identifier,
            "certNo": each.licence.number,
        }
        for each in copies
    ]


def cost_of(asked: HolderUrlAsked) -> int:
    """Return how many calls a call counts for: as many as it may make copies."""
    return 1 if asked.certNo else COPIES_LIMIT


async def file(visit: Visit, asked: FileAsked) -> dict[str, Any]:
    """Return an annotated copy in base64, as a layout file or as a picture."""
    need(
        certificateIdentifier=asked.certificateIdentifier,
        fileType=asked.fileType,
        certificateCopyCause=asked.certificateCopyCause,
    )
    purpose, grounds = visit.purpose(asked.certificateCopyCause, asked)
    end = moment("certificateCopyExpiringTime", asked.certificateCopyExpiringTime)
    copy = await _copy(visit, asked.certificateIdentifier, purpose, grounds, end)
    content = copy.ofd if asked.fileType == "ofd" else await picture(visit.door.types, copy)
    return {
        "fileType": asked.fileType,
        "content": base64.b64encode(content).decode(),
        "certificateIdentifier": asked.certificateIdentifier,
        "certificateCopyExpiringTime": local(copy.annotation.expires_at),
    }


async def shown(visit: Visit, asked: OfIdentifier) -> dict[str, Any]:
    """Return a picture of a licence in force, marked as a preview, in base64. It is painted after the transaction."""
    need(certIdentifier=asked.certIdentifier)
    purpose, grounds = visit.purpose(asked.useCause, asked)
    door = visit.door
    async with door.database.transaction() as tx:
        licence, kind = await read_for_preview(
            door.registry_of(tx),
            door.types,
            visit.reader,
            ("", asked.certIdentifier),
            purpose,
            new_id,
            door.clock(),
            grounds=grounds,
            covers=visit.covers,
            in_force=True,
        )
    painted = await asyncio.to_thread(preview, licence, kind)
    return {
        "contentType": "image/png",
        "content": base64.b64encode(painted).decode(),
        "certIdentifier": asked.certIdentifier,
    }


async def fetch(visit: Visit, ticket: str) -> bytes:
    """Return the copy of a ticket, once. Raises as `fetch_copy` does, and over its budget."""
    door = visit.door
    await door.limits.check(SHARING_CALLS, visit.reader.code)
    async with door.database.transaction() as tx:
        copy = await fetch_copy(door.registry_of(tx), door.types, visit.reader, ticket, new_id, door.clock())
    return copy.ofd


def _address(copy: Copy) -> str:
    return f"/copies/{copy.ticket}"


async def _copy(
    visit: Visit,
    identifier: str,
    purpose: Purpose,
    grounds: Grounds,
    expires_at: datetime | None,
    *,
    with_ticket: bool = False,
) -> Copy:
    door = visit.door
    async with door.database.transaction() as tx:
        return await make_annotated_copy(
            door.registry_of(tx),
            door.types,
            visit.reader,
            ("", identifier),
            purpose,
            expires_at,
            new_id,
            door.clock(),
            with_ticket=with_ticket,
            grounds=grounds,
            covers=visit.covers,
        )
