"""Offers: each code is what department, level and catalog code make it, and occurs once."""

from __future__ import annotations

from chassis.errors import Fault, Violation
from services.intake.domain.catalogue.codes import build_task_code, parse_task_code
from services.intake.domain.catalogue.items import Offer, ServiceItem
from services.intake.domain.catalogue.model import Catalogue
from services.intake.domain.catalogue.places import DivisionLevel
from services.intake.domain.catalogue.rules.reasons import (
    CODE_WRONG,
    contradiction,
    item_path,
    repeated,
    unknown,
)

USE_LEVELS = {
    DivisionLevel.PROVINCE: "2",
    DivisionLevel.CITY: "3",
    DivisionLevel.COUNTY: "4",
    DivisionLevel.TOWN: "5",
    DivisionLevel.VILLAGE: "6",
}
"""行使层级 by the level of the division; 3 and 4 are seen in published codes."""


def offer_mistakes(catalogue: Catalogue) -> list[Violation]:
    """Return what is wrong with the offers of all items."""
    found: list[Violation] = []
    for item in catalogue.items.values():
        for offer in item.offers:
            found += _offer_mistakes(catalogue, item, offer)
    offers = [offer for item in catalogue.items.values() for offer in item.offers]
    return found + repeated("items: handle_item_code", [offer.handle_item_code for offer in offers])


def _offer_mistakes(catalogue: Catalogue, item: ServiceItem, offer: Offer) -> list[Violation]:
    path = item_path(item.item_id, f"offers.{offer.division}")
    department = catalogue.departments.get(offer.department_id)
    division = catalogue.divisions.get(offer.division)
    if department is None or division is None:
        return [
            *unknown(path, "department", [offer.department_id], catalogue.departments),
            *unknown(path, "division", [offer.division], catalogue.divisions),
        ]
    elsewhere = department.division != offer.division
    found = contradiction(path, "the department belongs to another division", when=elsewhere)
    try:
        expected = build_task_code(department.uscc, USE_LEVELS[division.level], item.catalog_code)
        handled = parse_task_code(offer.handle_item_code)
    except Fault as fault:
        return [*found, CODE_WRONG.at(path, value=offer.handle_item_code, problem=fault.code)]
    if offer.task_code != expected:
        found.append(CODE_WRONG.at(path, value=offer.task_code, problem=f"expected {expected}"))
    foreign = handled.task_code != offer.task_code or handled.handle_sequence is None
    return found + contradiction(path, "the handling item is not one of this task", when=foreign)
