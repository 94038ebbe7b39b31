"""What the life of a licence needs from the outside, within one open transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from services.certs.domain.licence import Licence
from services.certs.domain.life.history import Line
from services.certs.domain.life.inspection import Inspection
from services.certs.domain.life.order import LicenceOrder
from services.certs.domain.life.retention import Erasure, Term
from services.certs.domain.life.succession import Link
from services.certs.domain.pdf.companion import LicencePdf

Place = tuple[datetime, str]
"""Where a page ends: a moment and an id."""


class Orders(Protocol):
    """The orders of issuers."""

    async def add(self, order: LicenceOrder) -> None:
        """Store a new order."""

    async def save(self, order: LicenceOrder) -> None:
        """Store what became of an order."""

    async def lock(self, order_id: str) -> LicenceOrder | None:
        """Return an order and hold its row. Raises ROW_ALTERED."""

    async def waiting(self, licence_id: str) -> list[LicenceOrder]:
        """Return the orders of status acts that wait for their time, earliest first. Raises ROW_ALTERED."""

    async def due_licences(self, now: datetime, limit: int) -> list[str]:
        """Return licences with an order whose time has come, earliest first; nothing is held."""

    async def of_licence(self, licence_id: str, before: Place | None, limit: int) -> list[LicenceOrder]:
        """Return the orders about a licence, newest first. Raises ROW_ALTERED."""

    async def history(self, licence: Licence) -> tuple[Line, ...]:
        """Return the whole history of a licence's status, oldest first. Raises ROW_ALTERED."""


class Links(Protocol):
    """What ties versions and copies together."""

    async def add(self, link: Link) -> None:
        """Store a new link."""

    async def save(self, link: Link) -> None:
        """Store what became of a link."""

    async def of(self, licence_id: str) -> Link | None:
        """Return the link of a licence to its predecessor or original. Raises ROW_ALTERED."""

    async def under(self, parent_id: str) -> list[Link]:
        """Return the links to a licence, copies in the order of their numbers, called-off ones too."""

    async def newest_version(self, lineage_id: str) -> int:
        """Return the highest version number that a lineage has given out."""

    async def add_co_holders(self, licence: Licence) -> None:
        """Have a new licence found by each of its holders."""


@dataclass(frozen=True, slots=True)
class Walked:
    """A licence as the walk that schedules inspections sees it."""

    licence_id: str
    lineage_id: str
    type_code: str
    issuer_code: str
    first_day: date


class Inspections(Protocol):
    """The inspections of licences."""

    async def add(self, inspections: Sequence[Inspection]) -> None:
        """Store inspections; one of a cycle that is stored already stays as it is."""

    async def save(self, inspection: Inspection) -> None:
        """Store where an inspection stands."""

    async def lock(self, lineage_id: str, cycle: int) -> Inspection | None:
        """Return an inspection and hold it; cycle 0 asks for the earliest that is open. Raises ROW_ALTERED."""

    async def moving(self, now: datetime, limit: int) -> list[Inspection]:
        """Return inspections that time has brought to another state; nothing is held."""

    async def in_force(self, lineage_id: str) -> str | None:
        """Return the licence of a lineage that is in force or suspended."""

    async def first_day(self, lineage_id: str) -> date | None:
        """Return the day from which the cycles of a lineage count."""

    async def open_of_issuer(self, issuer_code: str, after: Place | None, limit: int) -> list[Inspection]:
        """Return an issuer's due, overdue and failed inspections, earliest first. Raises ROW_ALTERED."""

    async def walk(
        self, name: str, type_codes: Sequence[str], before: datetime, limit: int
    ) -> list[Walked] | None:
        """Return the next licences of a walk over all, only those of these types; None at its end.

        Only rows stored before ``before`` are walked over. Copies are left out.
        """


class Erasures(Protocol):
    """Personal data whose time is over."""

    async def claim(self, term: Term, others: Sequence[str], limit: int) -> list[tuple[Licence, datetime]]:
        """Lock and return fallen licences of a term with when they fell; ``others`` are all types with a term."""

    async def erase(self, skeleton: Licence, erasure: Erasure) -> None:
        """Leave of a licence its skeleton, and the proof of the erasure."""

    async def claim_documents(self, limit: int) -> list[Erasure]:
        """Lock and return erasures whose documents are still to be removed. Raises ROW_ALTERED."""

    async def save(self, erasure: Erasure) -> None:
        """Store that the documents are gone."""


class Pdfs(Protocol):
    """The PDF companions of licences."""

    async def add(self, pdf: LicencePdf) -> None:
        """Store that a PDF is wanted; one that is stored already stays as it is."""

    async def save(self, pdf: LicencePdf) -> None:
        """Store what became of a PDF."""

    async def get(self, licence_id: str) -> LicencePdf | None:
        """Return the PDF of a licence. Raises ROW_ALTERED."""

    async def lock(self, licence_id: str) -> LicencePdf | None:
        """Return the PDF of a licence and hold its row. Raises ROW_ALTERED."""

    async def due(self, now: datetime, limit: int) -> list[str]:
        """Return licences whose PDF is to be looked at, the longest waiting first; nothing is held."""

    async def remove(self, licence_id: str) -> None:
        """Have the row gone."""


@dataclass(frozen=True, slots=True)
class Life:
    """Everything kept about the life of licences."""

    orders: Orders
    links: Links
    inspections: Inspections
    erasures: Erasures
    pdfs: Pdfs
