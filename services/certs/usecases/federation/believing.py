"""Whether a registry may say what it says, asked of every message: of the stream, of an answer, and of what is kept."""

from __future__ import annotations

import hashlib

from chassis.auth.documents import SIGNATURE_WRONG
from chassis.auth.secrecy import CONTENT_UNREADABLE
from chassis.errors import Fault
from chassis.tlog.checkpoint import CHECKPOINT_FORGED
from chassis.tlog.note import NOTE_MALFORMED
from chassis.tlog.proof import LOG_PROOF_WRONG
from services.certs.domain.federation import MESSAGE_MALFORMED, Agreement, Federation, Refusal
from services.certs.domain.licence import Licence
from services.certs.usecases.federation.ports import Replica


def digest_of(signed: str) -> bytes:
    """Return the SHA-256 by which a refused message is known, whatever its characters."""
    return hashlib.sha256(signed.encode(errors="surrogatepass")).digest()


def refusal_of(fault: Fault) -> Refusal:
    """Return why a message was not taken; a fault that is not the message's is raised again."""
    found = _REFUSALS.get(fault.code)
    if found is None:
        raise fault
    return found


async def is_theirs(replica: Replica, federation: Federation, agreement: Agreement, licence: Licence) -> bool:
    """Say whether a registry may speak of a licence: of an issuer it speaks for, neither ours nor another's."""
    if not federation.may_tell_of(agreement, licence):
        return False
    if await replica.is_ours(licence.licence_id, licence.identifier):
        return False
    tellers = await replica.authority_of(licence.licence_id, licence.identifier)
    return tellers <= {agreement.registry_id}


_REFUSALS = {
    SIGNATURE_WRONG.code: Refusal.SIGNATURE_WRONG,
    MESSAGE_MALFORMED.code: Refusal.MALFORMED,
    CONTENT_UNREADABLE.code: Refusal.UNREADABLE,
    CHECKPOINT_FORGED.code: Refusal.CHECKPOINT_FORGED,
    NOTE_MALFORMED.code: Refusal.CHECKPOINT_FORGED,
    LOG_PROOF_WRONG.code: Refusal.PROOF_WRONG,
}
