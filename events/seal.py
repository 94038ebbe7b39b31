"""Events of seal: applications (``application_id``), seals (``seal_id``) and signatures (``signature_id``)."""

from __future__ import annotations

from datetime import datetime

from chassis.event import Event, declared_event

APPLICATION = "seal.application.v1"
SEAL = "seal.seal.v1"
SIGNATURE = "seal.signature.v1"


@declared_event(APPLICATION, "application_id", public=True)
class SealApplied(Event):
    """A seal was applied for (制章申请)."""

    application_id: str
    owner_code: str
    kind: str
    applied_at: datetime


@declared_event(APPLICATION, "application_id", public=True)
class SealApplicationDecided(Event):
    """An application for a seal was approved, rejected or withdrawn, as its outcome says."""

    application_id: str
    owner_code: str
    outcome: str
    decided_at: datetime


@declared_event(SEAL, "seal_id", public=True)
class SealMade(Event):
    """A seal was made for its owner (制发); its filing and its start follow as changes of state."""

    seal_id: str
    owner_code: str
    made_at: datetime
    valid_until: datetime


@declared_event(SEAL, "seal_id", public=True)
class SealStatusChanged(Event):
    """A seal was filed, started, suspended, restored, reported lost, remade or cancelled."""

    seal_id: str
    previous: str
    status: str
    changed_at: datetime


@declared_event(SIGNATURE, "signature_id", public=True)
class DocumentSealed(Event):
    """A licence document carries its seal, as the ledger says; other documents go back to who sent them, without an event.

    Nobody else waits for those: the answer to the call has them, and ListSealUses tells of their use.
    """

    signature_id: str
    seal_id: str
    licence_id: str
    case_id: str
    document_sha256: str
    sealed_at: datetime


@declared_event(SIGNATURE, "signature_id", public=True)
class SealingRefused(Event):
    """A document was not sealed: no active seal, or the seal may not be used for it."""

    signature_id: str
    licence_id: str
    case_id: str
    reason: str
    refused_at: datetime


@declared_event(SIGNATURE, "signature_id", public=True)
class LicencePdfSealed(Event):
    """The PDF companion of a licence carries the same seal as its OFD, as the ledger says."""

    signature_id: str
    seal_id: str
    licence_id: str
    case_id: str
    document_sha256: str
    sealed_at: datetime


@declared_event(SIGNATURE, "signature_id", public=True)
class LicencePdfRefused(Event):
    """The PDF companion of a licence was not sealed; the licence itself is as it was."""

    signature_id: str
    licence_id: str
    case_id: str
    reason: str
    refused_at: datetime
