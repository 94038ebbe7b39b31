"""Of whose licences a registry may speak: its own territory's, never our departments'."""

from __future__ import annotations

from datetime import date

import pytest

from services.certs.domain.federation import Agreement, Federation, PeerRegistry
from services.certs.domain.licence import Licence, Origin
from services.certs.domain.status import LicenceStatus
from standards.identifiers import build_licence_identifier

TYPE = "11100000MB0143028R001"
CITY_BUREAU, COUNTY_BUREAU, FAR_OFF = "11361103TB1000011X", "11361123TB20000139", "11422827TB30000156"
PROVINCE_BUREAU = "11360000TB1000011X"


def agreement(registry_id: str, *issues_for: str) -> Agreement:
    return Agreement(PeerRegistry(registry_id, "", "", {}, {}, ""), issues_for=issues_for)


def licence(issuer_code: str, identifier: str = "") -> Licence:
    return Licence(
        licence_id="018f0000-0000-7000-8000-000000000001",
        lineage_id="",
        identifier=identifier,
        type_code=TYPE,
        type_name="营业执照",
        number="1",
        issuer_code=issuer_code,
        issuer_name="",
        county_code="",
        holders=(),
        issued_date=date(2024, 3, 5),
        valid_from=None,
        valid_until=None,
        status=LicenceStatus.VALID,
        face={},
        origin=Origin.IMPORTED,
        trust_grade="A",
    )


def may_tell(
    own_id: str, peer: Agreement, told: Licence, own: frozenset[str] = frozenset(), *others: Agreement
) -> bool:
    agreed = {each.registry_id: each for each in (peer, *others)}
    return Federation(own_id, agreed, own).may_tell_of(peer, told)


CITY, COUNTY = agreement("361100-city"), agreement("361123-county")


@pytest.mark.parametrize(
    ("issuer_code", "may"),
    [
        (CITY_BUREAU, True),
        ("361103", True),
        ("361100", True),
        (FAR_OFF, False),
        (PROVINCE_BUREAU, False),
        ("", False),
        ("0", False),
        ("11３６１１０３TB1000011X", False),
        ("11361103TB100001\u200bX", False),
        ("11361103TB10000 1X", False),
    ],
)
def test_a_city_speaks_of_issuers_of_its_own_division_and_below(issuer_code: str, may: bool) -> None:
    assert may_tell("422827-county", CITY, licence(issuer_code)) is may


def test_the_narrower_territory_is_its_own_registrys() -> None:
    told = licence(COUNTY_BUREAU)
    assert not may_tell("361123-county", CITY, told)
    assert not may_tell("422827-county", CITY, told, frozenset(), COUNTY)
    assert may_tell("361100-city", COUNTY, told)


@pytest.mark.parametrize("code", [CITY_BUREAU, CITY_BUREAU.lower()])
def test_nobody_speaks_of_a_department_of_ours_wherever_it_is(code: str) -> None:
    assert may_tell("422827-county", CITY, licence(code))
    assert not may_tell("422827-county", CITY, licence(code), frozenset({CITY_BUREAU}))


def test_an_agreement_may_name_other_divisions() -> None:
    wide = agreement("361100-city", "361100", "360000")
    assert may_tell("422827-county", wide, licence(PROVINCE_BUREAU))
    assert may_tell("422827-county", wide, licence(CITY_BUREAU))
    assert not may_tell("422827-county", wide, licence(FAR_OFF))


def test_the_issuer_inside_the_identifier_is_theirs_as_well() -> None:
    own = frozenset({COUNTY_BUREAU})
    for inside, may in ((CITY_BUREAU, True), (COUNTY_BUREAU, False), (FAR_OFF, False)):
        told = licence(CITY_BUREAU, build_licence_identifier(TYPE, inside, "1"))
        assert may_tell("361123-county", CITY, told, own) is may
    assert may_tell("361123-county", CITY, licence(CITY_BUREAU, "1.2.156.3005.2.T.I.1.001.X"), own)
