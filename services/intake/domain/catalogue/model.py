"""The whole catalogue of one version, with its look-ups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chassis.errors import Kind, declare
from services.intake.domain.catalogue.bundles import Bundle
from services.intake.domain.catalogue.guide import MaterialNeed, material_list
from services.intake.domain.catalogue.items import GuideQuestion, Offer, ServiceItem
from services.intake.domain.catalogue.licences import LicenceType
from services.intake.domain.catalogue.places import Department, Division, Text
from standards.working_days import Term, WorkingCalendar

ITEM_NOT_FOUND = declare(
    "ITEM_NOT_FOUND", Kind.NOT_FOUND, "没有事项 {item}", "There is no service item {item}"
)
BUNDLE_NOT_FOUND = declare(
    "BUNDLE_NOT_FOUND", Kind.NOT_FOUND, "没有“一件事” {bundle}", "There is no bundle {bundle}"
)
ITEM_NOT_OFFERED = declare(
    "ITEM_NOT_OFFERED",
    Kind.FAILED_PRECONDITION,
    "{division} 尚未开通事项 {item}",
    "{division} does not offer service item {item}",
)
DEPARTMENT_NOT_FOUND = declare(
    "DEPARTMENT_NOT_FOUND", Kind.NOT_FOUND, "没有部门 {department}", "There is no department {department}"
)
LICENCE_TYPE_NOT_FOUND = declare(
    "LICENCE_TYPE_NOT_FOUND", Kind.NOT_FOUND, "没有证照类型 {code}", "There is no licence type {code}"
)


@dataclass(frozen=True, slots=True)
class Timer:
    """A term of the procedure 时限: how long, from what, what happens when it is over."""

    key: str
    term: Term | None
    extension: Term | None
    starts: str
    on_expiry: str
    basis: str
    source: str


@dataclass(frozen=True, slots=True)
class RealNameLevel:
    """Real-name level 实名等级: how surely the platform knows who someone is."""

    level: int
    code: str
    name: Text
    evidence: Text


@dataclass(frozen=True, slots=True)
class HolderIdType:
    """持证主体代码类型 of GB/T 36903: kind of a holder's number."""

    code: str
    zh: str
    en: str
    holder: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that can be applied for, at one content version (``sha256:…``)."""

    version: str
    divisions: Mapping[str, Division]
    departments: Mapping[str, Department]
    licence_types: Mapping[str, LicenceType]
    questions: Mapping[str, GuideQuestion]
    items: Mapping[str, ServiceItem]
    bundles: Mapping[str, Bundle]
    timers: Mapping[str, Timer]
    real_name_levels: Mapping[int, RealNameLevel]
    holder_id_types: Mapping[str, HolderIdType]
    calendar: WorkingCalendar

    def item(self, item_id: str) -> ServiceItem:
        """Return a service item; raises ITEM_NOT_FOUND."""
        if item_id not in self.items:
            raise ITEM_NOT_FOUND(item=item_id)
        return self.items[item_id]

    def bundle(self, bundle_id: str) -> Bundle:
        """Return a bundle; raises BUNDLE_NOT_FOUND."""
        if bundle_id not in self.bundles:
            raise BUNDLE_NOT_FOUND(bundle=bundle_id)
        return self.bundles[bundle_id]

    def department(self, department_id: str) -> Department:
        """Return a department; raises DEPARTMENT_NOT_FOUND."""
        if department_id not in self.departments:
            raise DEPARTMENT_NOT_FOUND(department=department_id)
        return self.departments[department_id]

    def department_by_uscc(self, uscc: str) -> Department:
        """Return the department with a unified social credit code; raises DEPARTMENT_NOT_FOUND."""
        for department in self.departments.values():
            if department.uscc == uscc:
                return department
        raise DEPARTMENT_NOT_FOUND(department=uscc)

    def licence_type(self, code: str) -> LicenceType:
        """Return a licence type; raises LICENCE_TYPE_NOT_FOUND."""
        if code not in self.licence_types:
            raise LICENCE_TYPE_NOT_FOUND(code=code)
        return self.licence_types[code]

    def offer(self, item_id: str, division: str) -> Offer:
        """Return how a division offers an item; raises ITEM_NOT_FOUND or ITEM_NOT_OFFERED."""
        found = self.item(item_id).offer_in(division)
        if found is None:
            raise ITEM_NOT_OFFERED(item=item_id, division=division)
        return found

    def item_by_task_code(self, code: str) -> tuple[ServiceItem, Offer]:
        """Return the item and offer with a 实施编码 or 业务办理项编码; raises ITEM_NOT_FOUND."""
        for item in self.items.values():
            for offer in item.offers:
                if code in (offer.task_code, offer.handle_item_code):
                    return item, offer
        raise ITEM_NOT_FOUND(item=code)

    def offered_in(self, division: str) -> tuple[ServiceItem, ...]:
        """Return the items a division offers, in the order of their ids."""
        return tuple(self.items[name] for name in sorted(self.items) if self.items[name].offer_in(division))

    def parts(self, bundle_id: str) -> tuple[ServiceItem, ...]:
        """Return the items of a bundle in its order; raises BUNDLE_NOT_FOUND."""
        return tuple(self.item(part) for part in self.bundle(bundle_id).parts)

    def item_questions(self, item_id: str) -> tuple[GuideQuestion, ...]:
        """Return the guide questions of one item; raises ITEM_NOT_FOUND."""
        return tuple(self.questions[guide.question] for guide in self.item(item_id).guide)

    def item_materials(self, item_id: str, answers: Mapping[str, str]) -> tuple[MaterialNeed, ...]:
        """Return the exact material list of one item; see `guide.material_list`."""
        return material_list([self.item(item_id)], self.item_questions(item_id), answers)

    def bundle_materials(self, bundle_id: str, answers: Mapping[str, str]) -> tuple[MaterialNeed, ...]:
        """Return the exact, merged material list of a bundle; see `guide.material_list`."""
        return material_list(self.parts(bundle_id), self.bundle(bundle_id).questions, answers)
