"""Who holds a licence: name, kind of identity document and its number (GB/T 36903 Annex A)."""

from __future__ import annotations

from dataclasses import dataclass, field

from chassis.errors import FIELD_REQUIRED, Kind, Violation, declare
from standards.identifiers import Check, check_citizen_id, check_uscc

USCC_CODE = "001"
CITIZEN_CODE = "111"

HOLDER_ID_TYPES = {
    "001": "统一社会信用代码",
    "099": "其他法人或其他组织有效证件",
    "111": "公民身份号码",
    "114": "军官证",
    "115": "武警警官证",
    "118": "士兵证",
    "119": "武警士兵证",
    "120": "军队文职证",
    "122": "武警文职证",
    "411": "外交护照",
    "412": "公务护照",
    "413": "公务普通护照",
    "414": "普通护照",
    "511": "台湾居民来往大陆通行证",
    "516": "港澳居民来往内地通行证",
    "999": "其他",
}
"""持证主体代码类型, the dictionary of Annex A: code → name."""

HOLDER_ID_TYPE_UNKNOWN = declare(
    "HOLDER_ID_TYPE_UNKNOWN",
    Kind.INVALID_ARGUMENT,
    "持证主体代码类型不在国家标准代码表内",
    "Not a holder id type of GB/T 36903 Annex A",
)


@dataclass(frozen=True, slots=True)
class Holder:
    """A holder of a licence (持证主体). The name and the number never appear in ``repr``."""

    id_type_code: str
    id_number: str = field(repr=False)
    name: str = field(default="", repr=False)

    @property
    def index_key(self) -> str:
        """What the blind index covers; the last ``x`` of a citizen number counts as ``X``."""
        return holder_key(self.id_type_code, self.id_number)

    @property
    def is_person(self) -> bool:
        """Whether the holder is a natural person."""
        return self.id_type_code not in {"001", "099"}


def holder_key(id_type_code: str, id_number: str) -> str:
    """Return the text whose blind index finds a holder."""
    number = id_number[:-1] + "X" if id_type_code == CITIZEN_CODE and id_number.endswith("x") else id_number
    return f"{id_type_code}:{number}"


def check_holder_number(id_type_code: str, id_number: str) -> Check:
    """Check an identity number by the rules of its type; types without a check character always pass."""
    if id_type_code == CITIZEN_CODE:
        return check_citizen_id(id_number)
    return check_uscc(id_number) if id_type_code == USCC_CODE else Check()


def holder_violations(id_type_code: str, id_number: str) -> list[Violation]:
    """Return the wrong fields of a request that names a holder."""
    found: list[Violation] = []
    if id_type_code not in HOLDER_ID_TYPES:
        found.append(HOLDER_ID_TYPE_UNKNOWN.at("holder_id_type_code"))
    if not id_number:
        found.append(FIELD_REQUIRED.at("holder_id_number"))
    return found
