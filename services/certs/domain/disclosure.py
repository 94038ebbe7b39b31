"""What of a licence a reader sees: what the disclosure matrix of its type grants the category of purpose.

Where a type says nothing, everything is masked for who finds a licence, and the fields that a use-code
names are in clear for whom it was given to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from services.certs.domain.holder import Holder
from services.certs.domain.licence import Licence
from services.certs.domain.licence_type import LicenceType
from services.certs.domain.purpose import PurposeCategory
from standards.masking import mask_citizen_id, mask_name


@dataclass(frozen=True, slots=True)
class Shown:
    """A licence as one reader sees it; the registry's own record stays with it for its plain parts."""

    licence: Licence
    holder_name: str = field(repr=False)
    number: str = field(repr=False)
    identifier: str = field(repr=False)
    face: Mapping[str, str] = field(repr=False)
    holder_id_number: str = field(default="", repr=False)


def masked(
    licence: Licence, kind: LicenceType | None, category: PurposeCategory = PurposeCategory.PREVIEW
) -> Shown:
    """Return what someone sees who found the licence but was not given it.

    ``kind`` is the type as the licence is shown by (`LicenceTypes.of`). Hidden fields are left out.
    """
    return Shown(
        licence,
        "、".join(mask_name(holder.name) for holder in licence.holders),
        mask_citizen_id(licence.number) if number_is_personal(licence) else licence.number,
        public_identifier(licence),
        (kind or _NO_TYPE).seen(category, licence.face),
    )


def disclosed(
    licence: Licence,
    kind: LicenceType | None,
    face_fields: Iterable[str],
    category: PurposeCategory = PurposeCategory.CONSENT_CODE,
    giver: Holder | None = None,
) -> Shown:
    """Return what the consumer of a use-code sees: holder in clear, and of the bound face fields what it may.

    Face fields outside the binding are left out, not masked: the purpose does not need them. Of several holders
    only ``giver``, who agreed to the code, is in clear (个人信息保护法 23): names and numbers of the other persons
    are masked wherever they stand, everybody's where it is not known who agreed. A statutory duty needs no consent.
    """
    others = _others(licence, giver) if category is not PurposeCategory.DUTY_CODE else ()
    face = _face(licence, kind, category, face_fields)
    return Shown(
        licence,
        "、".join(_without(holder.name, others) for holder in licence.holders),
        _without(licence.number, others),
        _without(licence.identifier, others),
        {name: _without(value, others) for name, value in face.items()},
        "、".join(_without(holder.id_number, others) for holder in licence.holders),
    )


def _others(licence: Licence, giver: Holder | None) -> tuple[Holder, ...]:
    """Return the persons among several holders who did not agree."""
    if len(licence.holders) == 1:
        return ()
    key = giver.index_key if giver else ""
    return tuple(each for each in licence.holders if each.is_person and each.index_key != key)


def _without(value: str, others: Iterable[Holder]) -> str:
    """Return a value with the names and numbers of some persons masked."""
    for each in others:
        if each.id_number:
            number = re.compile(re.escape(each.id_number), re.IGNORECASE)
            value = number.sub(lambda found: mask_citizen_id(found.group()), value)
        if each.name:
            value = value.replace(each.name, mask_name(each.name))
    return value


def narrowed(licence: Licence, kind: LicenceType | None, category: PurposeCategory) -> Licence:
    """Return a licence that says no more than a category of purpose sees: for what is drawn or copied of it.

    Its face is as `masked` shows it; the numbers of persons are masked, wherever they stand. The names stay:
    a page without its holder's name is about nobody.
    """
    seen = masked(licence, kind, category)
    holders = (
        replace(each, id_number=mask_citizen_id(each.id_number)) if each.is_person else each
        for each in licence.holders
    )
    return replace(
        licence, number=seen.number, identifier=seen.identifier, face=seen.face, holders=tuple(holders)
    )


def number_is_personal(licence: Licence) -> bool:
    """Say whether the licence number is a holder's identity number, as on an identity card."""
    return _names_one_of(licence.number, licence.holders)


def public_identifier(licence: Licence) -> str:
    """Return the identifier, or nothing when its serial is a holder's identity number.

    Such identifiers circulate; the number must not travel in events, keys or logs.
    """
    return "" if identifier_is_personal(licence) else licence.identifier


def identifier_is_personal(licence: Licence) -> bool:
    """Say whether the identifier holds the identity number of a natural person."""
    return _names_one_of(licence.identifier, (each for each in licence.holders if each.is_person))


def _names_one_of(text: str, holders: Iterable[Holder]) -> bool:
    """Say whether the number of one of some holders stands in a text."""
    text = text.upper()
    for each in holders:  # noqa: SIM110 - asked of every licence found: a generator costs as much as the rest
        if each.id_number and each.id_number.upper() in text:
            return True
    return False


def _face(
    licence: Licence, kind: LicenceType | None, category: PurposeCategory, names: Iterable[str]
) -> dict[str, str]:
    """Return those of the named face fields that the category sees, as it sees them.

    A field that no type describes is masked whole where others are masked.
    """
    wanted = {name: licence.face[name] for name in names if name in licence.face}
    return (kind or _NO_TYPE).seen(category, wanted)


_NO_TYPE = LicenceType("", "", ())
"""Stands for a type that is not in the catalogue: no field is described, the matrix is the default."""
