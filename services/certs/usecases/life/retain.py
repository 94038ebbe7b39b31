"""Personal data whose retention is over are erased; the skeleton of the licence and a proof stay.

A sweep takes the rows first, each with its proof, in one transaction; the files after that, each erasure
noted as complete only when its files are gone. Broken off anywhere, it goes on where it was.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Protocol

from events.certs import LicenceErased
from services.certs.domain.licence import Licence
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.life.retention import Erasure, Term, skeleton, terms
from services.certs.domain.log import licence_leaf
from services.certs.usecases.ports import Registry

BATCH = 100


class Removable(Protocol):
    """Files that can be removed."""

    async def remove(self, key: str) -> None:
        """Have the bytes gone; again is no error."""


async def erase_fallen(registry: Registry, types: LicenceTypes, now: datetime, *, limit: int = BATCH) -> int:
    """Erase the personal data of up to ``limit`` licences whose retention is over; return how many."""
    count = 0
    known = sorted(types)
    for term in terms(types, now):
        for licence, fell_at in await registry.life.erasures.claim(term, known, limit - count):
            await _erase(registry, licence, fell_at, term, now)
            count += 1
        if count >= limit:
            break
    return count


async def remove_documents(registry: Registry, files: Removable, now: datetime, *, limit: int = BATCH) -> int:
    """Remove the files of up to ``limit`` erased licences; return of how many."""
    claimed = await registry.life.erasures.claim_documents(limit)
    for erasure in claimed:
        for key in erasure.documents:
            await files.remove(key)
        await registry.life.erasures.save(replace(erasure, documents_removed_at=now))
    return len(claimed)


async def _erase(registry: Registry, licence: Licence, fell_at: datetime, term: Term, now: datetime) -> None:
    kept, pdf = licence.sealing, await registry.life.pdfs.lock(licence.licence_id)
    documents = tuple(each for each in (kept.unsealed_sha256, kept.sealed_sha256) if each)
    if pdf is not None:
        documents += pdf.files
        await registry.life.pdfs.remove(licence.licence_id)
    bare = skeleton(licence)
    done = None if documents else now
    erasure = Erasure(licence.licence_id, fell_at, term.years, now, documents, done)
    await registry.life.erasures.erase(bare, erasure)
    registry.publish(LicenceErased(licence_id=bare.licence_id, erased_at=now), bare.version)
    await registry.log.append(licence_leaf(bare, "erase", now))
