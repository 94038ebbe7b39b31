"""The directory calls of the sharing interface: which types there are (目录), which licences somebody holds (检索)."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

from chassis.errors import FIELD_MALFORMED, Violation, refuse
from chassis.paging import page_token, page_token_mistakes, read_page_token
from services.certs.api.asking import found_page, kind_of_number, need
from services.certs.api.door import Visit
from services.certs.api.shapes import DirectoryAsked, ListAsked
from services.certs.api.statuses import OF_STATUS
from services.certs.domain.disclosure import Shown
from services.certs.domain.licence import LICENCE_NOT_FOUND
from services.certs.domain.licence_type import LicenceType
from services.certs.domain.licence_type.terms import AuthorityLevel, Category, HolderCategory
from services.certs.usecases.licence_types import Wanted, search_directory
from services.certs.usecases.search import DEFAULT_PAGE, LARGEST_PAGE, Query

TYPES_PAGE = 50
_TYPE_TOKEN = re.compile(r"[0-9A-Z]{1,21}", re.ASCII)
_OTHER = "其他"
DEFINED_AT: dict[StrEnum, str] = {
    AuthorityLevel.NATIONAL: "国家级",
    AuthorityLevel.PROVINCE: "省部级",
    AuthorityLevel.CITY: "地市级",
    AuthorityLevel.COUNTY: "区县级",
    AuthorityLevel.TOWN: _OTHER,
    AuthorityLevel.OTHER: _OTHER,
}
"""证照定义机构级别, which knows no towns."""
ISSUED_AT: dict[StrEnum, str] = {
    AuthorityLevel.NATIONAL: "国家",
    AuthorityLevel.PROVINCE: "省",
    AuthorityLevel.CITY: "地市",
    AuthorityLevel.COUNTY: "区县",
    AuthorityLevel.TOWN: "乡镇",
    AuthorityLevel.OTHER: _OTHER,
}
HELD_BY: dict[StrEnum, str] = {
    HolderCategory.NATURAL_PERSON: "自然人",
    HolderCategory.ORGANISATION: "法人和其他组织",
    HolderCategory.MIXED: "混合",
    HolderCategory.OTHER: _OTHER,
}
LISTED_AS: dict[StrEnum, str] = {Category.LICENCE: "证照", Category.APPROVAL: "批文", Category.PROOF: "证明"}
_CATEGORIES = {HELD_BY[each]: each for each in HolderCategory}


async def types(visit: Visit, asked: DirectoryAsked) -> dict[str, Any]:
    """Return a page of the catalogue records of the published types. Raises LICENCE_TYPE_VERSION_NOT_FOUND."""
    category = _CATEGORIES.get(asked.holderCategory)
    wrong = [FIELD_MALFORMED.at("holderCategory")] if asked.holderCategory and category is None else []
    if asked.pageToken and not _TYPE_TOKEN.fullmatch(asked.pageToken):
        wrong.append(FIELD_MALFORMED.at("pageToken"))
    refuse([*wrong, *_size_mistakes(asked.pageSize)])
    wanted = Wanted(asked.certTypeCode, asked.certName, asked.defineAuthorityCode, category)
    size = min(asked.pageSize or TYPES_PAGE, LARGEST_PAGE)
    page, token = search_directory(visit.door.types, wanted, asked.pageToken, size)
    return {
        "types": [catalogue_record(each) | {"shared": visit.covers(each.code)} for each in page],
        "nextPageToken": token,
    }


async def licences(visit: Visit, asked: ListAsked) -> dict[str, Any]:
    """Return a page of what somebody holds of a type: which licences, and where they stand. Raises LICENCE_NOT_FOUND.

    A page may have fewer lines than were asked for, also none, and still not be the last one.
    """
    need(holderCode=asked.holderCode, certTypeCode=asked.certTypeCode)
    visit.check_type(asked.certTypeCode)
    refuse([*page_token_mistakes(asked.pageToken, "pageToken"), *_size_mistakes(asked.pageSize)])
    holder = (asked.holderTypeCode or kind_of_number(asked.holderCode), asked.holderCode)
    query = Query(holder=holder, type_codes=(asked.certTypeCode,), holders_number=asked.certNo)
    purpose, grounds = visit.purpose(asked.useCause, asked)
    size = min(asked.pageSize or DEFAULT_PAGE, LARGEST_PAGE)
    page = await found_page(visit, query, purpose, grounds, (size, read_page_token(asked.pageToken)))
    lines = [line for each in page.licences if (line := _line(visit, each))]
    wanted = [each for each in lines if asked.certStatus in {None, each["certStatus"]}]
    if not wanted and not page.next_place and not asked.pageToken:
        raise LICENCE_NOT_FOUND()
    return {"licences": wanted, "nextPageToken": page_token(page.next_place) if page.next_place else ""}


def catalogue_record(kind: LicenceType) -> dict[str, Any]:
    """Return the catalogue record of a type by the names of GB/T 36902; several values are joined by a caret."""
    return {
        "CertificateTypeName": kind.name,
        "CertificateTypeCode": kind.code,
        "CertificateDefineAuthorityName": kind.definer.name,
        "CertificateDefineAuthorityCode": kind.definer.uscc,
        "CertificateDefineAuthorityLevel": DEFINED_AT[kind.definer.level],
        "RelatedItemName": "^".join(each.name for each in kind.related_items),
        "RelatedItemCode": "^".join(each.code for each in kind.related_items),
        "CertificateHolderCategory": HELD_BY[kind.holder_category],
        "ValidityRange": kind.validity_range,
        "CertificateIssuingAuthorityLevel": ISSUED_AT[kind.issuing_level],
        "category": LISTED_AS[kind.category],
        "version": kind.version,
    }


def _line(visit: Visit, shown: Shown) -> dict[str, Any] | None:
    """Return a line of the list, None for what the interface does not offer: what is not in force yet."""
    licence = shown.licence
    status = OF_STATUS.get(licence.usability(visit.door.clock()))
    if status is None:
        return None
    return {
        "certIdentifier": shown.identifier,
        "certTypeCode": licence.type_code,
        "certName": licence.type_name,
        "certNo": shown.number,
        "certStatus": status,
    }


def _size_mistakes(size: int) -> list[Violation]:
    return [FIELD_MALFORMED.at("pageSize")] if size < 0 else []
