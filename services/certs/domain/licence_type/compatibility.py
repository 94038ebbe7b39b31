"""What changes from one version of a type to the next, and what each change means for stored licences.

A change is compatible, or it must be looked for in the stored licences, or it is never allowed. What is
looked for is a licence that kept to the old rule and breaks the new one: what was out of order before is
no worse for the change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from chassis.errors import Kind, Reason, declare
from services.certs.domain.licence_type.model import FaceField, LicenceType
from services.certs.domain.licence_type.terms import FieldType
from services.certs.domain.licence_type.values import RuleKind, ValueRule
from services.certs.domain.status import LicenceStatus


def _broken(code: str, zh: str, en: str) -> Reason:
    return declare(f"TYPE_{code}", Kind.FAILED_PRECONDITION, zh, en)


FIELD_NOW_REQUIRED = _broken(
    "FIELD_NOW_REQUIRED", "已有 {licences} 件证照缺少该项", "{licences} stored licences have no value for it"
)
FIELD_NARROWED = _broken(
    "FIELD_NARROWED",
    "已有 {licences} 件证照的该项不符合新规则",
    "{licences} stored licences do not keep to the new rule",
)
FIELD_REMOVED = _broken(
    "FIELD_REMOVED", "已有 {licences} 件证照填有该项", "{licences} stored licences have a value for it"
)
CODE_REMOVED = _broken(
    "CODE_REMOVED",
    "已有 {licences} 件证照使用了被删除的代码",
    "{licences} stored licences have a code that goes",
)
HOLDER_CATEGORY_CHANGED = _broken(
    "HOLDER_CATEGORY_CHANGED",
    "已有 {licences} 件有效证照，持证主体类别不能变更",
    "The holder category stays while {licences} licences are in force",
)
CODE_CHANGED = _broken(
    "CODE_CHANGED",
    "证照类型代码不能变更（原代码 {type_code}）",
    "A type keeps its code; this one is published as {type_code}",
)
IN_FORCE = frozenset({LicenceStatus.VALID, LicenceStatus.SUSPENDED, LicenceStatus.PENDING_SEAL})


class Effect(StrEnum):
    """What a change means: nothing, a search of the stored licences, or a refusal."""

    COMPATIBLE = "compatible"
    SCANNED = "scanned"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two versions: where, what it means, and which licences it would break."""

    path: str
    effect: Effect
    reason: Reason | None = None
    old: ValueRule | None = None
    new: ValueRule | None = None
    counts_in_force: bool = False
    known_as: str = ""
    """The code that a type has, of a change of code."""

    def breaks(self, face: Mapping[str, str], status: LicenceStatus) -> bool:
        """Say whether a stored licence stands against the change."""
        if self.counts_in_force:
            return status in IN_FORCE
        was_wrong = self.old is not None and self.old.is_broken_by(face)
        return self.new is not None and not was_wrong and self.new.is_broken_by(face)


def compare(old: LicenceType, new: LicenceType) -> list[Change]:
    """Return every difference between two versions of a type; none for a type and itself."""
    found = [*_of_type(old, new), *_of_fields(old, new)]
    return sorted(found, key=lambda each: each.path)


def is_same(old: LicenceType, new: LicenceType) -> bool:
    """Say whether two versions say the same."""
    return not compare(old, new)


_PLAIN = (
    *("name", "name_en", "title", "shown", "code_status", "category", "definer", "issuing_level"),
    *("validity", "trust_grade", "basis", "document_items", "related_items", "template", "copies_allowed"),
    "further_terms",
    *("inspection_months", "freshness_hours", "freshness_objective_seconds", "retention_years"),
    *("quality_rules", "matrix"),
)
"""What a stored licence does not depend on: it says how licences are made, shown and kept from now on."""
_PLAIN_OF_FIELD = ("label", "label_en", "mask", "personal")


def _of_type(old: LicenceType, new: LicenceType) -> Iterator[Change]:
    if old.code != new.code:
        yield Change("code", Effect.REFUSED, CODE_CHANGED, known_as=old.code)
    if old.holder_category is not new.holder_category:
        yield Change("holder_category", Effect.SCANNED, HOLDER_CATEGORY_CHANGED, counts_in_force=True)
    for name in _PLAIN:
        if getattr(old, name) != getattr(new, name):
            yield Change(name, Effect.COMPATIBLE)
    kept = [each.name for each in old.fields if new.field(each.name)]
    if kept != [each.name for each in new.fields if old.field(each.name)]:
        yield Change("face_fields", Effect.COMPATIBLE)  # another order


def _of_fields(old: LicenceType, new: LicenceType) -> Iterator[Change]:
    for name in dict.fromkeys((*(each.name for each in old.fields), *(each.name for each in new.fields))):
        before, after = old.field(name), new.field(name)
        path = f"face_fields.{name}"
        if before and after:
            yield from _of_field(path, before, after)
        elif before:
            yield Change(path, Effect.SCANNED, FIELD_REMOVED, new=ValueRule(RuleKind.ABSENT, name))
        elif after:
            yield Change(path, Effect.COMPATIBLE)
            nothing = FaceField(name, "", False, after.mask)
            yield from _demands(path, nothing, after)


def _of_field(path: str, before: FaceField, after: FaceField) -> Iterator[Change]:
    for name in _PLAIN_OF_FIELD:
        if getattr(before, name) != getattr(after, name):
            yield Change(f"{path}.{name}", Effect.COMPATIBLE)
    yield from _demands(path, before, after)


def _demands(path: str, before: FaceField, after: FaceField) -> Iterator[Change]:
    """Yield the changes of what a field demands: of values that were never demanded, too."""
    olds = {_KEYS[rule.kind]: rule for rule in before.rules}
    news = {_KEYS[rule.kind]: rule for rule in after.rules}
    for key in sorted({*olds, *news}):
        old, new = olds.get(key), news.get(key)
        if old == new:
            continue
        wider = new is None or (old is not None and _is_wider(old, new))
        effect = Effect.COMPATIBLE if wider else Effect.SCANNED
        reason = None if wider else FIELD_NOW_REQUIRED if key == "required" else _narrowing(key, old)
        yield Change(f"{path}.{key}", effect, reason, None if wider else old, None if wider else new)
    if before.type is not after.type and not {before.type, after.type} & _TYPED:
        yield Change(f"{path}.type", Effect.COMPATIBLE)  # text or code: any value goes


_KEYS = {
    RuleKind.PRESENT: "required",
    RuleKind.LENGTH: "max_length",
    RuleKind.PATTERN: "pattern",
    RuleKind.CODE: "codes",
    RuleKind.DATE: "type",
    RuleKind.NUMBER: "type",
}
_TYPED = {FieldType.DATE, FieldType.NUMBER}


def _narrowing(key: str, old: ValueRule | None) -> Reason:
    return CODE_REMOVED if key == "codes" and old is not None else FIELD_NARROWED


def _is_wider(old: ValueRule, new: ValueRule) -> bool:
    """Say whether what kept to the old rule is sure to keep to the new one."""
    if old.kind is not new.kind:
        return False
    if old.kind is RuleKind.LENGTH:
        return new.limit >= old.limit
    return old.kind is RuleKind.CODE and set(new.codes) >= set(old.codes)
