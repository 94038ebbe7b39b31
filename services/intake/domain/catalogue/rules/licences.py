"""Licence types: code, definer, face fields, display, validity."""

from __future__ import annotations

import re

from chassis.errors import Violation
from services.intake.domain.catalogue.licences import LicenceType, ValidityKind
from services.intake.domain.catalogue.model import Catalogue
from services.intake.domain.catalogue.rules.reasons import CODE_WRONG, contradiction, repeated, unknown
from standards.identifiers import check_licence_type_code
from standards.masking import MaskRule

_FACE_CODE = re.compile(r"KZ_[A-Z0-9]{1,30}")


def licence_type_mistakes(catalogue: Catalogue) -> list[Violation]:
    """Return what is wrong with the licence types."""
    found = []
    for licence_type in catalogue.licence_types.values():
        found += _type_mistakes(licence_type)
    return found


def _type_mistakes(licence_type: LicenceType) -> list[Violation]:
    path = f"licence_types.yaml: {licence_type.code}"
    check = check_licence_type_code(licence_type.code)
    found = [CODE_WRONG.at(path, value=licence_type.code, problem=flag) for flag in check.flags]
    other = not licence_type.code.startswith(licence_type.definer.uscc)
    found += contradiction(f"{path}.definer.uscc", "not the first 18 characters of the code", when=other)
    codes = [field.code for field in licence_type.face_fields]
    found += repeated(f"{path}.face_fields", codes)
    found += unknown(f"{path}.display.fields", "face field", licence_type.display.fields, codes)
    validity = licence_type.validity
    mismatch = (validity.kind is ValidityKind.YEARS) != (validity.years is not None)
    found += contradiction(f"{path}.validity", "years belong to kind years, and only there", when=mismatch)
    for field in licence_type.face_fields:
        if not _FACE_CODE.fullmatch(field.code):
            found.append(
                CODE_WRONG.at(f"{path}.face_fields", value=field.code, problem="not KZ_ and initials")
            )
        bare = field.personal and field.mask is MaskRule.NONE
        found += contradiction(f"{path}.{field.code}", "personal but without a mask rule", when=bare)
    return found
