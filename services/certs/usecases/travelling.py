"""Proofs that leave the registry with a licence: of its present state, under a checkpoint that a witness saw."""

from __future__ import annotations

from dataclasses import replace

from chassis.tlog.proof import LogProof
from services.certs.domain.licence import Licence
from services.certs.domain.log import document_salt
from services.certs.domain.log.sidecar import LeafProof
from services.certs.usecases.evidence_ports import LogProofs
from services.certs.usecases.log import Book, inclusion, newest_state
from services.certs.usecases.offline_log import shows_state
from services.certs.usecases.ports import Registry


async def travelling_proof(book: Book, licence: Licence) -> LeafProof | None:
    """Return the proof of the state a licence is in; None while the log has not taken it.

    It is under the newest checkpoint that a witness cosigned, or the newest where that does not have the leaf.
    """
    entry = await newest_state(book, licence.licence_id)
    if entry is None or not shows_state(entry.content, licence.licence_id, licence.version, licence.status):
        return None
    published = await book.newest_cosigned()
    if published is None or entry.index >= published.size:
        published = await book.newest()
    if published is None or entry.index >= published.size:
        return None
    hashes = await inclusion(book, entry.index, published.size)
    proof = LogProof(entry.index, hashes, published.cosigned_note)
    return LeafProof(entry.content, proof, document_salt(entry.salt) if entry.salt else b"")


async def proof_beside(registry: Registry, proofs: LogProofs, licence_id: str, *, original: bool) -> str:
    """Return the proof that goes with a document that was just handed out; empty while there is none.

    Only with the original goes what binds it to the document.
    """
    licence = await registry.licences.get(licence_id)
    found = await proofs.proof_of(licence) if licence else None
    if found is None:
        return ""
    return (found if original else replace(found, document_salt=b"")).text
