"""Events of certs, the licence registry. Key: ``licence_id``."""

from __future__ import annotations

from datetime import datetime

from chassis.event import Event, declared_event

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
