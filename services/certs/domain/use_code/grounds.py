"""On which grounds a use-code is issued: the holder's consent, a statutory duty, or an entrustment (依申请·依职能·依委托)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from chassis.errors import FIELD_REQUIRED, FIELD_TOO_LONG, Kind, Violation, declare
from services.certs.domain.purpose import PurposeCategory, is_writable, says_something

ARTICLE_LIMIT = 200
_ARTICLE = re.compile(r"《(?P<law>[^《》]+)》.*第[一二三四五六七八九十百千零〇0-9]+条.*")
"""A law by its name and the article of it; a law alone covers everything and says nothing."""

LEGAL_ARTICLE_MALFORMED = declare(
    "LEGAL_ARTICLE_MALFORMED",
    Kind.INVALID_ARGUMENT,
    "法律依据须写明法律名称和条款，如《中华人民共和国食品安全法》第三十五条",
    "Name the law in 《》 and its article 第…条",
)


class Mode(StrEnum):
    """How a use-code came about."""

    CONSENT = "consent"
    STATUTORY_DUTY = "statutory_duty"
    ENTRUSTMENT = "entrustment"

    @property
    def category(self) -> PurposeCategory:
        """The column of a type's disclosure matrix that such a code sees."""
        return _CATEGORIES[self]


_CATEGORIES = {
    Mode.CONSENT: PurposeCategory.CONSENT_CODE,
    Mode.STATUTORY_DUTY: PurposeCategory.DUTY_CODE,
    Mode.ENTRUSTMENT: PurposeCategory.ENTRUSTED_CODE,
}


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why a licence was used or a code issued; empty texts are what the mode has no need of."""

    mode: Mode
    consent_id: str = ""
    legal_article: str = ""
    entrustment_id: str = ""
    licence_version: int = 0
    """The version of the licence that was used; 0 where none was."""


CONSENTED = Grounds(Mode.CONSENT)
"""The grounds of every code of a release that knew no other."""


def article_violations(article: str, at: str = "legal_article") -> list[Violation]:
    """Return what is wrong with a legal article; one is required where a duty is the grounds."""
    if not says_something(article):
        return [FIELD_REQUIRED.at(at)]
    if len(article) > ARTICLE_LIMIT:
        return [FIELD_TOO_LONG.at(at, limit=ARTICLE_LIMIT)]
    found = _ARTICLE.fullmatch(article.strip())
    named = found and says_something(found.group("law")) and is_writable(article)
    return [] if named else [LEGAL_ARTICLE_MALFORMED.at(at)]
