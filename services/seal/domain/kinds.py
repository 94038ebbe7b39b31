"""Kinds of seals: what each is for, how it looks, and what the seal's data say of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.seal.domain.imprint.designs import Design, NameDesign, RoundDesign


class SealKind(StrEnum):
    """Kind of a seal (印章种类): what its owner uses it for."""

    OFFICIAL = "official"
    """公章: an authority's official seal."""
    FINANCE = "finance"
    """财务专用章."""
    CONTRACT = "contract"
    """合同专用章."""
    SPECIAL = "special"
    """业务专用章: for one kind of business under the owner's statutory name."""
    ENTERPRISE = "enterprise"
    """企业章: an enterprise's seal."""
    PERSONAL = "personal"
    """个人名章: a reviewer's name seal; its name is personal data."""


ORGANISATION_SEAL, PERSON_SEAL = 1, 2
"""SES_ESPropertyInfo.type: the seal of an organisation, the seal of a person."""


@dataclass(frozen=True, slots=True)
class KindRule:
    """What a kind fixes: the seal's type number, its size in millimetres, the line in or below its middle."""

    ses_type: int
    width_mm: int
    height_mm: int
    line: str = ""
    needs_line: bool = False
    has_star: bool = True

    @property
    def is_person(self) -> bool:
        """Whether the seal names a natural person."""
        return self.ses_type == PERSON_SEAL


_ROUND_42 = (ORGANISATION_SEAL, 42, 42)
RULES: dict[SealKind, KindRule] = {
    SealKind.OFFICIAL: KindRule(*_ROUND_42),
    SealKind.FINANCE: KindRule(ORGANISATION_SEAL, 38, 38, "财务专用章", has_star=False),
    SealKind.CONTRACT: KindRule(*_ROUND_42, "合同专用章", has_star=False),
    SealKind.SPECIAL: KindRule(*_ROUND_42, needs_line=True),
    SealKind.ENTERPRISE: KindRule(ORGANISATION_SEAL, 40, 40),
    SealKind.PERSONAL: KindRule(PERSON_SEAL, 18, 18),
}
_SUFFIXES = {2: "之印", 3: "印"}
"""What fills a person's square of four characters."""
PERSON_LABEL = "个人名章"
"""What stands for a person's name wherever it is not to be read."""


def design_of(kind: SealKind, name: str, line: str = "", number: str = "") -> Design:
    """Return how a seal of this kind looks when its picture is drawn from the name.

    Raises SEAL_NAME_TOO_LONG, IMPRINT_TEXT_WRONG.
    """
    rule = RULES[kind]
    if rule.is_person:
        return NameDesign(name, _SUFFIXES.get(len(name), ""), rule.width_mm)
    return RoundDesign(name, line or rule.line, number, has_star=rule.has_star, diameter_mm=rule.width_mm)
