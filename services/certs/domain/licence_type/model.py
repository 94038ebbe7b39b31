"""A licence type: its catalogue record, the schema of its face, what is shown of it, how it is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from functools import cached_property

from services.certs.domain.licence_type.quality import QualityRule
from services.certs.domain.licence_type.sights import Matrix, Sight
from services.certs.domain.licence_type.terms import (
    LONG_TERM_TEXT,
    TWO_PEOPLE,
    AuthorityLevel,
    Category,
    CodeStatus,
    Definer,
    FieldType,
    HolderCategory,
    LegalBasis,
    RelatedItem,
    TrustGrade,
    Validity,
    ValidityKind,
)
from services.certs.domain.licence_type.values import RuleKind, ValueRule
from services.certs.domain.purpose import PurposeCategory
from standards.masking import MaskRule, masker

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class FaceField:
    """A face field (照面信息项): its KZ_ short name, label and mask, and what its values are."""

    name: str
    label: str
    required: bool
    mask: MaskRule
    label_en: str = ""
    type: FieldType = FieldType.TEXT
    max_length: int = 0
    """Characters; 0 means no limit of its own."""
    personal: bool = False
    pattern: str = ""
    codes: tuple[str, ...] = ()
    """The code table; empty means that any value goes."""

    @property
    def rules(self) -> Iterator[ValueRule]:
        """What the schema demands of the field's value."""
        if self.required:
            yield ValueRule(RuleKind.PRESENT, self.name)
        if self.max_length:
            yield ValueRule(RuleKind.LENGTH, self.name, limit=self.max_length)
        if self.pattern:
            yield ValueRule(RuleKind.PATTERN, self.name, pattern=self.pattern)
        if self.codes:
            yield ValueRule(RuleKind.CODE, self.name, codes=self.codes)
        if self.type in _TYPED:
            yield ValueRule(_TYPED[self.type], self.name)


_TYPED = {FieldType.DATE: RuleKind.DATE, FieldType.NUMBER: RuleKind.NUMBER}


@dataclass(frozen=True)
class LicenceType:
    """A type of licence (证照类型) in one version: code of GB/T 36904, name, title, face fields in order.

    Published versions are never changed. The fields after ``shown`` are the rest of the catalogue
    record (GB/T 36902), then what the registry itself goes by.
    """

    code: str
    name: str
    fields: tuple[FaceField, ...]
    title: str = ""
    shown: tuple[str, ...] = ()
    """The face fields on the readable licence, in order; empty means all."""
    version: int = 1
    name_en: str = ""
    code_status: CodeStatus = CodeStatus.NATIONAL
    category: Category = Category.LICENCE
    definer: Definer = attribute(default_factory=Definer)
    issuing_level: AuthorityLevel = AuthorityLevel.OTHER
    holder_category: HolderCategory = HolderCategory.OTHER
    validity: Validity = attribute(default_factory=Validity)
    trust_grade: TrustGrade = TrustGrade.A
    basis: tuple[LegalBasis, ...] = ()
    document_items: tuple[str, ...] = ()
    """What belongs to the document besides its face (文件要件), e.g. 二维码."""
    related_items: tuple[RelatedItem, ...] = ()
    further_terms: tuple[str, ...] = ()
    """Terms that licences of the type may have besides the one of ``validity``: ``N年`` or ``长期``."""
    template: str = ""
    """The layout of the readable licence; empty means the common sheet."""
    copies_allowed: int = 0
    """Attached copies (副本) beside the original."""
    second_person_acts: tuple[str, ...] = TWO_PEOPLE
    """The acts that an issuer orders by two people."""
    inspection_months: int = 0
    """Months from one annual inspection (年检) to the next; 0 means that there is none."""
    freshness_hours: int = 24
    """How old a replica from elsewhere may be before its issuer is asked again."""
    freshness_objective_seconds: int = DAY_SECONDS
    """From the issuing act to the registry; the metric of freshness is judged by it."""
    retention_years: int = 30
    """How long a licence is kept after it fell; [M], no standard names a figure."""
    quality_rules: tuple[QualityRule, ...] = ()
    """What the import judges rows of the type by."""
    matrix: Matrix = attribute(default_factory=Matrix)

    @cached_property
    def _by_name(self) -> dict[str, FaceField]:
        return {each.name: each for each in self.fields}

    @cached_property
    def value_rules(self) -> tuple[ValueRule, ...]:
        """What the schema demands of the values of a face, field by field."""
        return tuple(rule for each in self.fields for rule in each.rules)

    def broken_rules(self, face: Mapping[str, str]) -> list[ValueRule]:
        """Return the demands of the schema that a face breaks."""
        return [rule for rule in self.value_rules if rule.is_broken_by(face)]

    def field(self, name: str) -> FaceField | None:
        """Return a face field by its short name, None if the type has no such field."""
        return self._by_name.get(name)

    @property
    def validity_range(self) -> str:
        """Every term of the type as the catalogue record lists them: ``1年^3年^长期``; empty where each licence states it."""
        own = {ValidityKind.YEARS: f"{self.validity.years}年", ValidityKind.LONG_TERM: LONG_TERM_TEXT}
        first = own.get(self.validity.kind)
        return "^".join(dict.fromkeys((*([first] if first else ()), *self.further_terms)))

    @property
    def on_page(self) -> tuple[FaceField, ...]:
        """The face fields that stand on the page, in their order."""
        return tuple(self._by_name[name] for name in self.shown) if self.shown else self.fields

    def lacks(self, face: Mapping[str, str]) -> bool:
        """Say whether a required face field has no value."""
        return any(each.required and not face.get(each.name) for each in self.fields)

    def seen(self, category: PurposeCategory, values: Mapping[str, str]) -> dict[str, str]:
        """Return face fields as a category of purpose sees them, without those that are left out."""
        shows = self._shows.setdefault(category, {})
        found = {}
        for name, value in values.items():
            shown = (shows.get(name) or self._show(category, name))(value)
            if shown is not None:
                found[name] = shown
        return found

    def _show(self, category: PurposeCategory, name: str) -> Callable[[str], str | None]:
        """Return how a category sees a field: worked out once, as every licence that is found asks for each."""
        known, sight = self._by_name.get(name), self.matrix.sight(category, name)
        rule = known.mask if known else MaskRule.HIDDEN
        show = _SHOWS.get(sight) or masker(rule)
        if known:
            self._shows.setdefault(category, {})[name] = show
        return show

    @cached_property
    def _shows(self) -> dict[PurposeCategory, dict[str, Callable[[str], str | None]]]:
        return {}

    def within(self, newest: LicenceType) -> LicenceType:
        """Return this version as its licences are shown today: never more than the newest one shows.

        A mask that the newest version sets counts at once; one that it lifts stays for older licences.
        """
        if newest.version == self.version:
            return self
        names = frozenset((*self._by_name, *newest._by_name))
        fields = tuple(_masked_as(each, newest.field(each.name)) for each in self.fields)
        return replace(self, fields=fields, matrix=self.matrix.narrowed(newest.matrix, names))


def _left_out(_value: str) -> None:
    """Stand for what is not shown."""


_SHOWS: dict[Sight, Callable[[str], str | None]] = {Sight.FULL: str, Sight.HIDDEN: _left_out}


def _masked_as(own: FaceField, newest: FaceField | None) -> FaceField:
    rule = newest.mask if newest and newest.mask is not MaskRule.NONE else own.mask
    return replace(own, mask=rule)
