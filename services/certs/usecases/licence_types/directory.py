"""Search the directory of types: the newest versions by what is known of a type."""

from __future__ import annotations

from dataclasses import dataclass

from services.certs.domain.licence_type import LicenceType, LicenceTypes
from services.certs.domain.licence_type.terms import HolderCategory
from services.certs.usecases.licence_types.reading import LICENCE_TYPE_NOT_FOUND


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is known of a type; what is empty is no condition."""

    type_code: str = ""
    name_part: str = ""
    definer_code: str = ""
    holder_category: HolderCategory | None = None

    def is_met_by(self, kind: LicenceType) -> bool:
        """Say whether a type meets every condition."""
        return (
            self.type_code in {"", kind.code}
            and self.name_part in kind.name
            and self.definer_code in {"", kind.definer.uscc}
            and self.holder_category in {None, kind.holder_category}
        )


def search_directory(
    types: LicenceTypes, wanted: Wanted, after: str, size: int
) -> tuple[list[LicenceType], str]:
    """Return a page of what is wanted, by code, those after ``after``; and its last code if there is more.

    Raises LICENCE_TYPE_VERSION_NOT_FOUND where no type at all meets the conditions.
    """
    found = [kind for code in sorted(types) if wanted.is_met_by(kind := types[code])]
    if not found:
        raise LICENCE_TYPE_NOT_FOUND()
    rest = [each for each in found if each.code > after]
    page = rest[:size]
    return page, page[-1].code if len(rest) > size else ""
