"""Events of certs, the licence registry. Key: ``licence_id``."""

from __future__ import annotations

from datetime import datetime

from chassis.event import Event, declared_event, mirrored

LICENCE = "certs.licence.v1"


@declared_event(LICENCE, "licence_id", public=True)
class LicenceImported(Event):
    """A licence issued elsewhere entered the registry, or its stored version was replaced."""

    licence_id: str
    identifier: str
    type_code: str
    county_code: str
    issuer_code: str
    status: str
    imported_at: datetime


@declared_event(LICENCE, "licence_id", public=True)
class LicenceMade(Event):
    """A licence was made (制证) and waits for the seal of its issuer."""

    licence_id: str
    identifier: str
    type_code: str
    county_code: str
    issuer_code: str
    case_id: str
    part_id: str
    item_code: str
    document_sha256: str
    made_at: datetime


@declared_event(LICENCE, "licence_id", public=True)
class LicenceIssued(Event):
    """A sealed licence is in force (签发); any county may rely on it from now."""

    licence_id: str
    identifier: str
    type_code: str
    type_name: str
    county_code: str
    issuer_code: str
    case_id: str
    part_id: str
    signature_id: str
    document_sha256: str
    issued_at: datetime
    predecessor_id: str = ""
    """The version that it took the place of (变更, 延续)."""
    original_id: str = ""
    """The licence that it is an attached copy (副本) of."""


@declared_event(LICENCE, "licence_id", public=True)
class LicenceStatusChanged(Event):
    """The licence was suspended, restored, cancelled, revoked, forfeited, replaced, or it expired."""

    licence_id: str
    identifier: str
    previous: str
    status: str
    effective_at: datetime
    changed_at: datetime


@declared_event(LICENCE, "licence_id", public=True)
class LicenceUsed(Event):
    """A department consumed a use-code (用证码): the licence stood in for paper."""

    licence_id: str
    usage_id: str
    consumer_code: str
    item_code: str
    case_id: str
    used_at: datetime


@declared_event(LICENCE, "licence_id", public=True)
class LicenceInspectionChanged(Event):
    """An annual inspection (年检) of the licence is due, overdue, passed or failed."""

    licence_id: str
    identifier: str
    cycle: int
    due_date: str
    state: str
    changed_at: datetime


@declared_event(LICENCE, "licence_id", public=True)
class LicenceErased(Event):
    """The retention of a fallen licence is over: its personal data are gone, its skeleton stays."""

    licence_id: str
    erased_at: datetime


LICENCE_PDF = "certs.pdf.v1"


@declared_event(LICENCE_PDF, "licence_id", public=True)
class LicencePdfMade(Event):
    """The PDF companion of a licence in force was made and waits for its seal; told again while it waits."""

    licence_id: str
    issuer_code: str
    case_id: str
    item_code: str
    document_sha256: str
    made_at: datetime


RELIANCE = "certs.reliance.v1"
DISPUTE = "certs.dispute.v1"


@declared_event(RELIANCE, "flag_id", public=True)
class RelianceFell(Event):
    """A licence on which a department relied for a case fell; told once for each department, case and fall."""

    flag_id: str
    licence_id: str
    consumer_code: str
    case_id: str
    cause: str
    effective_at: datetime
    fell_at: datetime


@declared_event(DISPUTE, "dispute_id", public=True)
class DisputeOpened(Event):
    """A holder disputes what a licence says or that it was used; its issuer checks."""

    dispute_id: str
    licence_id: str
    kind: str
    issuer_code: str
    opened_at: datetime


@declared_event(DISPUTE, "dispute_id", public=True)
class DisputeDecided(Event):
    """A dispute was upheld, rejected or withdrawn."""

    dispute_id: str
    licence_id: str
    kind: str
    issuer_code: str
    state: str
    decided_at: datetime


REPLICA = "certs.replica.v1"
MIRROR = "certs.mirror.v1"
"""Into which another deployment's replica topic is mirrored, so that what comes in never goes out again."""


@declared_event(REPLICA, "stream", public=True)
class ReplicaSent(Event):
    """A registry tells one other where a licence stands, or that it lives: signed, what is personal encrypted."""

    stream: str
    """Recipient and licence, or recipient and ``heartbeat``: what keeps its order."""
    registry_id: str
    recipient_id: str
    message: str


mirrored(ReplicaSent, MIRROR)
"""The topic is provisioned with the others; certs hears what comes on it."""
