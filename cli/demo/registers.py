"""Three counties' registers: a few hundred good rows each, some broken ones, and the demo citizen's own."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cli.demo.licence_rows import Registrar
from cli.demo.people import SyntheticBusiness, SyntheticPerson, make_business, make_person
from cli.departments import Office, office_by_id
from cli.row_files import write_csv, write_jsonl

GUANGFENG, YUSHAN, LAIFENG = "361103", "361123", "422827"
COUNTIES = (GUANGFENG, YUSHAN, LAIFENG)
HOUSEHOLDS = 70
"""Per county; each has three licences, every second one a business besides."""
_OFFICES = ("police", "market", "land", "health")
Breaking = Callable[[dict[str, str]], dict[str, str]]
BROKEN: tuple[Breaking, ...] = (
    lambda row: {name: value for name, value in row.items() if name != "ZZBS"},  # a mandatory field missing
    lambda row: row | {"ZZBFRQ": "2024-02-30"},  # no such day
    lambda row: row | {"ZZYXQQSRQ": "2024-05-01", "ZZYXQJZRQ": "2023-05-01"},  # ends before it begins
    lambda row: row | {"ZZBFJGDM": "11999999TB0000000A"},  # an issuer of another county
    lambda row: row | {"CZZTDMLXDM": "777"},  # no holder id type of the standard
)


@dataclass(frozen=True, slots=True)
class DemoCast:
    """The citizen of the story, whose licences two counties issued, and the business."""

    citizen: SyntheticPerson
    business: SyntheticBusiness


@dataclass(frozen=True, slots=True)
class WrittenRegister:
    """One county's file."""

    county: str
    path: Path
    rows: int
    broken: int


def make_cast(rng: random.Random) -> DemoCast:
    """Return a citizen and a sole trader, both from 广丰区."""
    return DemoCast(make_person(rng, GUANGFENG), make_business(rng, GUANGFENG))


def write_registers(
    directory: Path, cast: DemoCast, offices: Sequence[Office], rng: random.Random, today: date
) -> list[WrittenRegister]:
    """Write one register per county, CSV and JSONL in turn; the same seed and day give the same files."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for number, county in enumerate(COUNTIES):
        words = {word: office_by_id(offices, f"{county}-{word}") for word in _OFFICES}
        rows = _rows(Registrar(county, words, rng, today), cast)
        write, suffix = (write_jsonl, "jsonl") if number == 1 else (write_csv, "csv")
        path = directory / f"{county}.{suffix}"
        write(path, rows)
        written.append(WrittenRegister(county, path, len(rows), len(BROKEN)))
    return written


def _rows(registrar: Registrar, cast: DemoCast) -> list[dict[str, str]]:
    rng = registrar.rng
    rows = []
    for number in range(HOUSEHOLDS):
        person = make_person(rng, registrar.county)
        rows += [registrar.identity_card(person), registrar.property_certificate(person)]
        rows.append(registrar.health_certificate(person))
        if number % 2:
            rows.append(registrar.business_licence(make_business(rng, registrar.county), person))
    rows += _rows_of_cast(registrar, cast)
    for break_row in BROKEN:
        rows.append(break_row(registrar.identity_card(make_person(rng, registrar.county))))
    rng.shuffle(rows)
    return rows


def _rows_of_cast(registrar: Registrar, cast: DemoCast) -> list[dict[str, str]]:
    if registrar.county == GUANGFENG:
        return [
            registrar.identity_card(cast.citizen),
            registrar.business_licence(cast.business, cast.citizen),
        ]
    return [registrar.health_certificate(cast.citizen)] if registrar.county == LAIFENG else []
