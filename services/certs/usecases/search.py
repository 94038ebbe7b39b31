"""Find licences by what one has of them: the holder, the number, the identifier, or the QR code that is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, FIELD_TOO_LONG, Violation, refuse
from services.certs.domain.disclosure import Shown, masked
from services.certs.domain.dispute import as_found
from services.certs.domain.holder import Holder, holder_violations
from services.certs.domain.licence import Licence
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.purpose import Basis, Purpose, category_of, purpose_violations
from services.certs.domain.usage import Reader, Usage, UsageKind
from services.certs.domain.use_code import Grounds
from services.certs.domain.use_code.entrustment import Person
from services.certs.usecases.evidence_ports import Place, Sees
from services.certs.usecases.ports import NewId, Registry, SummarySigner
from services.certs.usecases.read import TYPE_CODES_LIMIT, may_read
from services.certs.usecases.state_offline import read_offline
from services.certs.usecases.use_codes import require_standing

DEFAULT_PAGE = 20
LARGEST_PAGE = 100
TEXT_LIMIT = 4_096
NUMBER_LIMIT = 128


@dataclass(frozen=True, slots=True)
class Query:
    """What is known of a licence; exactly one of the ways is given."""

    licence_id: str = ""
    identifier: str = field(default="", repr=False)
    holder: Person | None = field(default=None, repr=False)
    number: str = field(default="", repr=False)
    qr_text: str = field(default="", repr=False)
    type_codes: tuple[str, ...] = ()
    holders_number: str = field(default="", repr=False)
    """Of the holder's licences only those of this number; no way of its own."""

    @property
    def ways(self) -> dict[str, str | Person | None]:
        """Every way by its name in a request, given or not."""
        return {
            "licence_id": self.licence_id,
            "identifier": self.identifier,
            "holder": self.holder,
            "number": self.number,
            "qr_text": self.qr_text,
        }

    @property
    def given(self) -> tuple[str, str | Person]:
        """The way that is given, by name and value."""
        return next((name, value) for name, value in self.ways.items() if value)


@dataclass(frozen=True, slots=True)
class Found:
    """A page of licences in clear, and where the next one begins; None at the end."""

    licences: Sequence[Licence] = field(repr=False)
    next_place: Place | None


@dataclass(frozen=True, slots=True)
class ShownPage:
    """A page as its reader sees it."""

    licences: Sequence[Shown]
    next_place: Place | None


async def search(
    registry: Registry,
    types: LicenceTypes,
    signer: SummarySigner,
    reader: Reader,
    query: Query,
    purpose: Purpose,
    page: tuple[int, Place | None],
    new_id: NewId,
    now: datetime,
    grounds: Grounds | None = None,
    *,
    kind: UsageKind | None = None,
    covers: Callable[[str], bool] = lambda _type_code: True,
) -> ShownPage:
    """Return a page of the licences that match and that the reader may know of, masked.

    Leaves a usage line for each, and one for none; ``kind`` is what the caller does with it where that is more
    than looking. A type that ``covers`` leaves out is as if it were not there. Of a frozen licence that is only
    found the face is left out, everything else about it is refused. Raises INVALID_REQUEST naming every wrong field,
    and for a QR code PRESENTATION_MALFORMED, SIGNATURE_WRONG, OFFLINE_STATEMENT_EXPIRED.
    """
    size, before = page
    refuse([*query_violations(query), *purpose_violations(purpose), *_size_violations(size)])
    found = await look_for(
        registry, signer, reader, query, purpose, (min(size or DEFAULT_PAGE, LARGEST_PAGE), before), now
    )
    seen = [as_found(each, reader) for each in found.licences if covers(each.type_code)]
    lines = _lines(kind or _kind_of(query), reader, query, purpose, seen, new_id, now, grounds)
    await registry.usages.add(lines)
    shown = [masked(each, types.of(each), category_of(purpose)) for each in seen]
    return ShownPage(shown, found.next_place)


async def look_for(
    registry: Registry,
    signer: SummarySigner,
    reader: Reader,
    query: Query,
    purpose: Purpose,
    page: tuple[int, Place | None],
    now: datetime,
) -> Found:
    """Return the licences that match and that the reader may know of; leaves no line, the caller does."""
    if query.holder is None and not query.number:
        licence = await _one(registry, signer, query, now)
        known = licence is not None and may_know(reader, query, purpose, licence)
        return Found([licence] if licence is not None and known else [], None)
    places = await _places(registry, query, _sees(reader, purpose), page)
    size = page[0]
    licences = await registry.licences.get_each([licence_id for _, licence_id in places[:size]])
    matching = [each for each in licences if _matches(query, each)]
    return Found(matching, places[size - 1] if len(places) > size else None)


async def _places(
    registry: Registry, query: Query, sees: Sees, page: tuple[int, Place | None]
) -> list[Place]:
    """Return where a page of what may match is, and one place more where another page follows."""
    size, before = page
    searches, types = registry.evidence.searches, query.type_codes
    number = query.number or query.holders_number
    places = await searches.of_number(number, types, sees, before, size + 1) if number else []
    if query.holder is None or places:
        return places
    places = await searches.of_holder(query.holder, types, sees, before, size + 1)
    # a number that no index knows yet is looked for among the holder's newest, without a page after it
    return places[:size] if number else places


def may_know(reader: Reader, query: Query, purpose: Purpose, licence: Licence) -> bool:
    """Say whether a reader may know of a licence; whoever is shown its QR code may, for that moment."""
    if query.qr_text and purpose.basis is Basis.SHOWN_BY_HOLDER:
        return True
    return may_read(reader, purpose, licence)


def query_violations(query: Query) -> list[Violation]:
    """Return what is wrong with a query; one way, and only one, must be given."""
    ways = query.ways
    given = [name for name, value in ways.items() if value]
    if len(given) != 1:
        return [(FIELD_MALFORMED if given else FIELD_REQUIRED).at("query")]
    limits = {"qr_text": TEXT_LIMIT}
    found = [
        FIELD_TOO_LONG.at(f"query.{name}", limit=limits.get(name, NUMBER_LIMIT))
        for name, value in ways.items()
        if isinstance(value, str) and len(value) > limits.get(name, NUMBER_LIMIT)
    ]
    if query.holder is not None:
        found += holder_violations(*query.holder)
        if len(query.holders_number) > NUMBER_LIMIT:
            found.append(FIELD_TOO_LONG.at("query.holders_number", limit=NUMBER_LIMIT))
    if len(query.type_codes) > TYPE_CODES_LIMIT:
        found.append(FIELD_TOO_LONG.at("query.type_codes", limit=TYPE_CODES_LIMIT))
    return found


async def _one(registry: Registry, signer: SummarySigner, query: Query, now: datetime) -> Licence | None:
    if query.identifier:
        return await registry.licences.by_identifier(query.identifier)
    if query.licence_id:
        return await registry.licences.get(query.licence_id)
    statement = read_offline(signer, query.qr_text, now)
    if statement.entrustment_id:
        await require_standing(registry, statement.entrustment_id, now)
    return await registry.licences.get(statement.licence_id)


def _matches(query: Query, licence: Licence) -> bool:
    """Check what an index said: a number is indexed soon after it changed, not at once."""
    number = query.number or query.holders_number
    held = not number or query.holder is None or licence.is_held_by(*query.holder)
    return held and (not number or _same(licence.number, number))


def _same(one: str, other: str) -> bool:
    return "".join(one.split()).upper() == "".join(other.split()).upper()


def _sees(reader: Reader, purpose: Purpose) -> Sees:
    published = purpose.basis is Basis.STATUTORY_DUTY
    return Sees(not reader.is_department, reader.code if reader.is_department else "", published)


def _size_violations(size: int) -> list[Violation]:
    return [FIELD_MALFORMED.at("page_size")] if size < 0 else []


def _lines(
    kind: UsageKind,
    reader: Reader,
    query: Query,
    purpose: Purpose,
    licences: Sequence[Licence],
    new_id: NewId,
    now: datetime,
    grounds: Grounds | None,
) -> list[Usage]:
    asked = Holder(*query.holder) if query.holder else None
    if not licences:
        return [Usage(new_id(), kind, reader, purpose, now, holder=asked, grounds=grounds)]
    return [
        Usage(
            new_id(),
            kind,
            reader,
            purpose,
            now,
            licence_id=each.licence_id,
            holder=asked or each.holders[0],
            grounds=replace(grounds, licence_version=each.version) if grounds else None,
            version_read=0 if kind is UsageKind.FIND else each.version,
        )
        for each in licences
    ]


def _kind_of(query: Query) -> UsageKind:
    """Return what a search is: who names the licence reads it, who names its holder or number looks for it."""
    if query.qr_text:
        return UsageKind.SCAN
    return UsageKind.READ if query.licence_id or query.identifier else UsageKind.FIND
