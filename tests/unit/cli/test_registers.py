"""Synthetic registers: reproducible, right check digits, broken rows where they belong."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path

import pytest

from chassis.errors import Fault
from cli.demo.people import make_business, make_person
from cli.demo.registers import BROKEN, COUNTIES, GUANGFENG, LAIFENG, YUSHAN, make_cast, write_registers
from cli.departments import office_by_id, office_by_uscc, read_offices, registry_keeper
from cli.row_files import read_register
from standards.identifiers import check_citizen_id, check_licence_identifier_for_issuing, check_uscc

CATALOGUE = Path(__file__).parents[3] / "catalogue"
TODAY = date(2026, 6, 1)


def registers(directory: Path, seed: int = 5):
    rng = random.Random(seed)
    cast = make_cast(rng)
    return cast, write_registers(directory, cast, read_offices(CATALOGUE), rng, TODAY)


def test_persons_and_businesses_have_right_check_digits_and_invented_telephones():
    rng = random.Random(1)
    for _ in range(200):
        person = make_person(rng, "361103")
        assert check_citizen_id(person.id_number, today=TODAY).valid
        assert person.phone.startswith("199")
        assert len(person.phone) == 11
        assert check_uscc(make_business(rng, "361103").uscc).valid
        assert person.name not in repr(person)


def test_the_same_seed_and_day_give_the_same_files(tmp_path):
    one, other = registers(tmp_path / "a")[1], registers(tmp_path / "b")[1]
    assert [each.path.read_bytes() for each in one] == [each.path.read_bytes() for each in other]


def test_each_county_has_its_rows_and_the_citizens_licences_are_of_two_counties(tmp_path):
    cast, written = registers(tmp_path)
    assert [each.county for each in written] == list(COUNTIES)
    held = {}
    for each in written:
        rows = read_register(each.path).rows
        assert len(rows) == each.rows >= 200 + len(BROKEN)
        numbers = {cast.citizen.id_number, cast.business.uscc}
        held[each.county] = sum(row.fields.get("CZZTDM") in numbers for row in rows)
    assert held == {GUANGFENG: 2, YUSHAN: 0, LAIFENG: 1}


def test_good_rows_carry_identifiers_that_could_be_issued(tmp_path):
    _, written = registers(tmp_path)
    for each in written:
        identifiers = [row.fields["ZZBS"] for row in read_register(each.path).rows if "ZZBS" in row.fields]
        assert len(set(identifiers)) == len(identifiers) == each.rows - 1
        assert all(check_licence_identifier_for_issuing(value).valid for value in identifiers)


def test_departments_are_found_by_what_names_them():
    offices = read_offices(CATALOGUE)
    keeper = registry_keeper(offices, "361103")
    assert keeper.department_id == "361103-services"
    assert office_by_uscc(offices, "361103", keeper.uscc) == keeper
    market = office_by_id(offices, "422827-market")
    assert len(market.staff_of("reviewer", "chief_representative")) == 3
    with pytest.raises(Fault) as refused:
        office_by_uscc(offices, "361123", keeper.uscc)
    assert refused.value.code == "DEPARTMENT_UNKNOWN"
