"""What the command line uses of certs without a running service: checks of QR codes, digests of registers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from chassis.auth import read_jwks
from chassis.tlog.checkpoint import Checkpoint
from chassis.tlog.held import HeldLog
from chassis.tlog.note import Note
from chassis.tlog.proof import LogProof, check_proof
from services.certs.domain.importing import canonical
from services.certs.domain.log.sidecar import LeafProof, read_leaf_proof
from services.certs.domain.presentation import (
    KIND,
    OFFLINE_KIND,
    Statement,
    Summary,
    check_offline,
    check_statement,
    jws_of,
    offline_parts_of,
    read_statement,
    read_summary,
)
from services.certs.rpc.summary_signer import read_signed
from services.certs.usecases.offline_log import LogFinding, check_log, compare


def verify_presentation_offline(qr_text: str, jwks_json: str, now: datetime) -> Summary:
    """Return what a presentation QR code proves without the network.

    ``jwks_json`` is what PresentationService.GetPresentationKeys answered some time before. That the
    code was not scanned elsewhere cannot be known offline.
    Raises PRESENTATION_MALFORMED, PRESENTATION_EXPIRED, SIGNATURE_WRONG.
    """
    claims = read_signed(jws_of(qr_text), read_jwks(jwks_json), KIND, now.timestamp)
    return check_offline(read_summary(claims), now)


def check_qr(
    qr_text: str, jwks_json: str, now: datetime, held: HeldLog | None = None
) -> tuple[Statement, LogFinding]:
    """Return what an offline QR code states, and what it proves of the log, checked with published keys and nothing else.

    Raises PRESENTATION_MALFORMED, OFFLINE_STATEMENT_EXPIRED, SIGNATURE_WRONG, and for a log that does not
    bear it out LOG_PROOF_WRONG, LOG_PROOF_OF_ANOTHER, LOG_PROOF_MALFORMED, LOG_CONTRADICTED.
    """
    jws, evidence = offline_parts_of(qr_text)
    claims = read_signed(jws, read_jwks(jwks_json), OFFLINE_KIND, now.timestamp)
    statement = check_statement(read_statement(claims), now)
    return statement, check_log(statement, evidence, held or HeldLog())


def leaf_proof(leaf: bytes, proof: LogProof) -> LeafProof:
    """Return the proof of a leaf as it is kept beside a document; it names none."""
    return LeafProof(leaf, proof)


def check_licence_proof(
    text: str, document: bytes | None, held: HeldLog
) -> tuple[LeafProof, Checkpoint, Note]:
    """Return what the proof beside a licence's document shows, with the keys of the log alone.

    ``document`` must be the sealed original that the leaf names. Raises LOG_PROOF_MALFORMED, LOG_PROOF_WRONG,
    CHECKPOINT_FORGED, NOTE_MALFORMED, LOG_CONTRADICTED, DOCUMENT_NOT_NAMED, DOCUMENT_OF_ANOTHER.
    """
    found = read_leaf_proof(text)
    signed, note = check_proof(found.proof, found.leaf, *held.logs)
    compare(found.proof.index, signed.size, found.leaf, found.proof.hashes, held)
    if document is not None:
        found.require_document(document)
    return found, signed, note


def digest_of_row(fields: Mapping[str, str]) -> tuple[str, date, bytes]:
    """Return type, day of issue and reconciliation digest of a register's row. Raises ValueError without them."""
    return canonical.digest_of_row(fields)


def day_totals(digests: Iterable[tuple[date, bytes]]) -> list[tuple[date, int, bytes]]:
    """Return day, count and hash of what a register has, for SourceService.ReconcileSource."""
    return [(each.day, each.count, each.hash) for each in canonical.totals(digests).values()]
