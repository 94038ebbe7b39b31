"""A type as a document of plain values: read from the catalogue's form, and written back in it, complete."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from chassis.errors import Kind, Violation, declare
from services.certs.domain.licence_type import terms
from services.certs.domain.licence_type.book import LicenceTypes
from services.certs.domain.licence_type.entries import Entry
from services.certs.domain.licence_type.model import DAY_SECONDS, FaceField, LicenceType
from services.certs.domain.licence_type.quality import NEED_FIELDS, QUALITY_RULES, QualityRule
from services.certs.domain.licence_type.sights import ANY_FIELD, Matrix, Sight
from services.certs.domain.licence_type.values import PATTERN_LIMIT, pattern_problem
from services.certs.domain.purpose import PurposeCategory
from standards.identifiers import check_licence_type_code
from standards.masking import MaskRule

LICENCE_TYPES_MALFORMED = declare(
    "LICENCE_TYPES_MALFORMED",
    Kind.FAILED_PRECONDITION,
    "证照类型目录第 {position} 条有误：{cause}",
    "Licence type {position} of the catalogue is wrong: {cause}",
)
CODE_LIMIT = 21
VALUE_LIMIT = 4_000
TEN_YEARS_SECONDS = 3_650 * DAY_SECONDS
_TERM = re.compile(rf"[1-9][0-9]?年|{terms.LONG_TERM_TEXT}", re.ASCII)
_FIELD_NAME = re.compile(r"KZ_[A-Z0-9]{1,30}", re.ASCII)


def parse_licence_types(document: object) -> LicenceTypes:
    """Return the types of ``licence_types.yaml``, each as version 1.

    Raises LICENCE_TYPES_MALFORMED for the first wrong one, naming all that is wrong with it.
    """
    entries = document.get("licence_types") if isinstance(document, Mapping) else None
    if not isinstance(entries, Sequence):
        raise LICENCE_TYPES_MALFORMED(position=0, cause="licence_types is missing")
    found: dict[str, LicenceType] = {}
    for position, entry in enumerate(entries, 1):
        kind, problems = read_type(entry)
        if problems:
            causes = "; ".join(f"{each.field_path}: {each.en}" for each in problems)
            raise LICENCE_TYPES_MALFORMED(violations=problems, position=position, cause=causes)
        if kind.code in found:
            raise LICENCE_TYPES_MALFORMED(position=position, cause=f"{kind.code} stands twice")
        found[kind.code] = kind
    return LicenceTypes(found.values())


def read_type(document: object, path: str = "", version: int = 1) -> tuple[LicenceType, list[Violation]]:
    """Return the type that a document describes and everything that is wrong with the document.

    With anything wrong the type is not to be used. ``path`` is where the document stands in a request.
    """
    problems: list[Violation] = []
    entry = Entry({}, path, problems).under(document)
    entry.require("face_fields")
    name, display, kept = entry.inner("name"), entry.inner("display"), entry.inner("registry")
    schema = kept.inner("fields")
    title = name.text("zh")
    fields = tuple(_field(each, schema) for each in entry.each("face_fields"))
    kind = LicenceType(
        code=entry.text("code", limit=CODE_LIMIT),
        name=title,
        fields=fields,
        title=display.text("title", title),
        shown=display.texts("fields"),
        version=version,
        name_en=name.text("en", ""),
        code_status=entry.word("code_status", terms.CodeStatus, terms.CodeStatus.NATIONAL),
        category=entry.word("category", terms.Category, terms.Category.LICENCE),
        definer=_definer(entry.inner("definer")),
        issuing_level=entry.word("issuing_level", terms.AuthorityLevel, terms.AuthorityLevel.OTHER),
        holder_category=entry.word("holder_category", terms.HolderCategory, terms.HolderCategory.OTHER),
        validity=_validity(entry.inner("validity")),
        trust_grade=entry.word("trust_grade", terms.TrustGrade, terms.TrustGrade.A),
        freshness_hours=entry.number("freshness_hours", 24, 87_600),
        **_kept(kept, frozenset(each.name for each in fields)),
    )
    _check(entry, kind)
    for each in (name, display, schema, kept, entry):
        each.close()
    return kind, problems


def document_of(kind: LicenceType) -> dict[str, Any]:
    """Return a type as the document that reads back as the same type; what is not said is written out."""
    return {
        "code": kind.code,
        "code_status": kind.code_status.value,
        "name": {"zh": kind.name, "en": kind.name_en},
        "category": kind.category.value,
        "definer": {
            "name": kind.definer.name,
            "uscc": kind.definer.uscc,
            "level": kind.definer.level.value,
        },
        "issuing_level": kind.issuing_level.value,
        "holder_category": kind.holder_category.value,
        "validity": {"kind": kind.validity.kind.value, "years": kind.validity.years},
        "trust_grade": kind.trust_grade.value,
        "freshness_hours": kind.freshness_hours,
        "face_fields": [_field_document(each) for each in kind.fields],
        "display": {"title": kind.title, "fields": list(kind.shown)},
        "registry": {
            "basis": [{"instrument": each.instrument, "article": each.article} for each in kind.basis],
            "document_items": list(kind.document_items),
            "related_items": [{"code": each.code, "name": each.name} for each in kind.related_items],
            "further_terms": list(kind.further_terms),
            "template": kind.template,
            "copies_allowed": kind.copies_allowed,
            "second_person_acts": list(kind.second_person_acts),
            "inspection_months": kind.inspection_months,
            "freshness_objective_seconds": kind.freshness_objective_seconds,
            "retention_years": kind.retention_years,
            "fields": {
                each.name: {"pattern": each.pattern, "codes": list(each.codes)}
                for each in kind.fields
                if each.pattern or each.codes
            },
            "quality_rules": [_rule_document(each) for each in kind.quality_rules],
            "disclosure": {
                category.value: {name: sight.value for name, sight in sorted(column.items())}
                for category, column in sorted(kind.matrix.said.items())
            },
        },
    }


def _field(entry: Entry, schema: Entry) -> FaceField:
    name = entry.text("code", limit=33)
    if name and not _FIELD_NAME.fullmatch(name):
        entry.wrong("code", "not KZ_ and initials")
    more = schema.inner(name)
    pattern = more.text("pattern", "", limit=PATTERN_LIMIT)
    if problem := pattern_problem(pattern):
        more.wrong("pattern", problem)
    found = FaceField(
        name=name,
        label=entry.text("zh"),
        required=entry.truth("required"),
        mask=entry.word("mask", MaskRule, MaskRule.NONE),
        label_en=entry.text("en", ""),
        type=entry.word("type", terms.FieldType, terms.FieldType.TEXT),
        max_length=entry.number("max_length", 0, VALUE_LIMIT),
        personal=entry.truth("personal"),
        pattern=pattern,
        codes=more.texts("codes"),
    )
    if found.personal and found.mask is MaskRule.NONE:
        entry.wrong("mask", "personal, but without a mask")
    more.close()
    entry.close()
    return found


def _definer(entry: Entry) -> terms.Definer:
    found = terms.Definer(
        entry.text("name", ""),
        entry.text("uscc", "", limit=18),
        entry.word("level", terms.AuthorityLevel, terms.AuthorityLevel.OTHER),
    )
    entry.close()
    return found


def _validity(entry: Entry) -> terms.Validity:
    kind = entry.word("kind", terms.ValidityKind, terms.ValidityKind.STATED)
    years = entry.number("years", 0, 99)
    if (kind is terms.ValidityKind.YEARS) != (years > 0):
        entry.wrong("years", "belongs to kind years, and only there")
    entry.close()
    return terms.Validity(kind, years)


def _kept(entry: Entry, names: frozenset[str]) -> dict[str, Any]:
    """Return what the registry itself goes by, as arguments of `LicenceType`."""
    return {
        "basis": tuple(_basis(each) for each in entry.each("basis")),
        "document_items": entry.texts("document_items"),
        "related_items": _related_items(entry),
        "further_terms": _further_terms(entry),
        "template": entry.text("template", "", limit=64),
        "copies_allowed": entry.number("copies_allowed", 0, 99),
        "second_person_acts": _second_person_acts(entry),
        "inspection_months": entry.number("inspection_months", 0, 120),
        "freshness_objective_seconds": entry.number(
            "freshness_objective_seconds", DAY_SECONDS, TEN_YEARS_SECONDS
        ),
        "retention_years": entry.number("retention_years", 30, 100),
        "quality_rules": tuple(_rule(each, names) for each in entry.each("quality_rules")),
        "matrix": _matrix(entry.inner("disclosure"), names),
    }


def _related_items(entry: Entry) -> tuple[terms.RelatedItem, ...]:
    """Return the items; a code alone, as types of before have it, is an item without a name."""
    named = entry.values.get("related_items")
    if isinstance(named, list) and all(isinstance(each, str) for each in named):
        return tuple(terms.RelatedItem(code) for code in entry.texts("related_items"))
    found = []
    for each in entry.each("related_items"):
        found.append(terms.RelatedItem(each.text("code"), each.text("name", "")))
        each.close()
    return tuple(found)


def _further_terms(entry: Entry) -> tuple[str, ...]:
    found = entry.texts("further_terms")
    for each in found:
        if not _TERM.fullmatch(each):
            entry.wrong("further_terms", f"{each} is neither N年 nor 长期")
    return found


def _second_person_acts(entry: Entry) -> tuple[str, ...]:
    """Return the acts that take two people: those named, none for an empty list, the usual without a word."""
    named = entry.texts("second_person_acts")
    for act in named:
        if act not in terms.ORDERED_ACTS:
            entry.wrong("second_person_acts", f"{act} is not one of {', '.join(terms.ORDERED_ACTS)}")
    return tuple(sorted(set(named))) if "second_person_acts" in entry.values else terms.TWO_PEOPLE


def _basis(entry: Entry) -> terms.LegalBasis:
    found = terms.LegalBasis(entry.text("instrument"), entry.text("article", ""))
    entry.close()
    return found


def _rule(entry: Entry, names: frozenset[str]) -> QualityRule:
    one = entry.text("field", "", limit=33)
    rule = QualityRule(
        entry.text("rule"),
        entry.texts("fields") or ((one,) if one else ()),
        entry.text("pattern", "", limit=PATTERN_LIMIT),
        frozenset(entry.texts("codes")),
        entry.truth("flag"),
    )
    if rule.rule and rule.rule not in QUALITY_RULES:
        entry.wrong("rule", f"not one of {', '.join(QUALITY_RULES)}")
    if rule.rule in NEED_FIELDS and not rule.fields:
        entry.wrong("fields", f"{rule.rule} names none")
    for name in rule.fields:
        if name.startswith("KZ_") and name not in names:
            entry.wrong("fields", f"{name} is no face field of the type")
    if (rule.rule == "pattern") != bool(rule.pattern):
        entry.wrong("pattern", "belongs to rule pattern, and only there")
    if (rule.rule == "code_table") != bool(rule.codes):
        entry.wrong("codes", "belong to rule code_table, and only there")
    if problem := pattern_problem(rule.pattern):
        entry.wrong("pattern", problem)
    entry.close()
    return rule


def _matrix(entry: Entry, names: frozenset[str]) -> Matrix:
    said: dict[PurposeCategory, dict[str, Sight]] = {}
    for category in PurposeCategory:
        column = entry.inner(category)
        for name in column.values:
            if name != ANY_FIELD and name not in names:
                column.wrong(name, "no face field of the type")
        found = {name: column.word(name, Sight, Sight.HIDDEN) for name in column.values}
        if found:
            said[category] = found
    entry.close()
    return Matrix(said)


def _check(entry: Entry, kind: LicenceType) -> None:
    names = [each.name for each in kind.fields]
    for name in sorted({each for each in names if names.count(each) > 1}):
        entry.wrong("face_fields", f"{name} stands twice")
    for name in sorted(set(kind.shown) - set(names)):
        entry.wrong("display", f"{name} is no face field of the type")
    for flag in check_licence_type_code(kind.code).flags if kind.code else ():
        entry.wrong("code", flag)
    if kind.definer.uscc and not kind.code.startswith(kind.definer.uscc):
        entry.wrong("definer", "not the first 18 characters of the code")


def _field_document(each: FaceField) -> dict[str, Any]:
    return {
        "code": each.name,
        "zh": each.label,
        "en": each.label_en,
        "type": each.type.value,
        "required": each.required,
        "max_length": each.max_length,
        "personal": each.personal,
        "mask": each.mask.value,
    }


def _rule_document(rule: QualityRule) -> dict[str, Any]:
    return {
        "rule": rule.rule,
        "fields": list(rule.fields),
        "pattern": rule.pattern,
        "codes": sorted(rule.codes),
        "flag": rule.flag,
    }
