"""What of a licence a reader sees: everything masked, except the fields a purpose entitles to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.certs.domain.licence import Licence
from services.certs.domain.licence_type import LicenceType
from standards.masking import MaskRule, mask, mask_citizen_id, mask_name


@dataclass(frozen=True, slots=True)
class Shown:
    """A licence as one reader sees it; the registry's own record stays with it for its plain parts."""

    licence: Licence
    holder_name: str = field(repr=False)
    number: str = field(repr=False)
    identifier: str = field(repr=False)
    face: Mapping[str, str] = field(repr=False)
    holder_id_number: str = field(default="", repr=False)


def masked(licence: Licence, kind: LicenceType | None) -> Shown:
    """Return what someone sees who found the licence but was not given it."""
    return Shown(
        licence,
        "、".join(mask_name(holder.name) for holder in licence.holders),
        mask_citizen_id(licence.number) if number_is_personal(licence) else licence.number,
        public_identifier(licence),
        {name: _masked_field(kind, name, value) for name, value in licence.face.items()},
    )


def disclosed(licence: Licence, kind: LicenceType | None, face_fields: Iterable[str]) -> Shown:
    """Return what the consumer of a use-code sees: holder in clear, and the bound face fields in clear.

    Face fields outside the binding are left out, not masked: the purpose does not need them.
    """
    del kind
    wanted = frozenset(face_fields)
    return Shown(
        licence,
        "、".join(holder.name for holder in licence.holders),
        licence.number,
        licence.identifier,
        {name: value for name, value in licence.face.items() if name in wanted},
        "、".join(holder.id_number for holder in licence.holders),
    )


def number_is_personal(licence: Licence) -> bool:
    """Say whether the licence number is a holder's identity number, as on an identity card."""
    number = licence.number.upper()
    return any(holder.id_number and holder.id_number.upper() in number for holder in licence.holders)


def public_identifier(licence: Licence) -> str:
    """Return the identifier, or nothing when its serial is a holder's identity number.

    Such identifiers circulate; the number must not travel in events, keys or logs.
    """
    return "" if identifier_is_personal(licence) else licence.identifier


def identifier_is_personal(licence: Licence) -> bool:
    """Say whether the identifier holds the identity number of a natural person."""
    identifier = licence.identifier.upper()
    return any(
        holder.is_person and holder.id_number and holder.id_number.upper() in identifier
        for holder in licence.holders
    )


def _masked_field(kind: LicenceType | None, name: str, value: str) -> str:
    """Mask a face field by its type's rule; a field that no type describes is hidden whole."""
    known = kind.field(name) if kind else None
    return mask(known.mask if known else MaskRule.HIDDEN, value)
