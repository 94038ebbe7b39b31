"""Licence types (证照类型, GB/T 36902) as versioned data: read, compared, held, shown by."""

from __future__ import annotations

from services.certs.domain.licence_type.book import LicenceTypes
from services.certs.domain.licence_type.compatibility import Change, Effect, compare
from services.certs.domain.licence_type.model import FaceField, LicenceType
from services.certs.domain.licence_type.quality import QualityRule
from services.certs.domain.licence_type.reading import (
    LICENCE_TYPES_MALFORMED,
    document_of,
    parse_licence_types,
    read_type,
)
from services.certs.domain.licence_type.sights import Matrix, Sight

__all__ = [
    "LICENCE_TYPES_MALFORMED",
    "Change",
    "Effect",
    "FaceField",
    "LicenceType",
    "LicenceTypes",
    "Matrix",
    "QualityRule",
    "Sight",
    "compare",
    "document_of",
    "parse_licence_types",
    "read_type",
]
