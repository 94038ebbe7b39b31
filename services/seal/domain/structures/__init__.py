"""Seals and signatures of GM/T 0031-2014 (v1), GB/T 38540-2020 (v4, what we write) and GM/T 0031-2025 (v5)."""

from __future__ import annotations

from services.seal.domain.structures.model import (
    Extension,
    NotASeal,
    Picture,
    Seal,
    SealedValue,
    StructureError,
    VersionMismatch,
)  # fmt: skip
from services.seal.domain.structures.reading import read_seal, read_sealed_value
from services.seal.domain.structures.writing import (
    SealFields,
    signature_tbs,
    signature_value,
    write_seal,
    write_seal_info,
)  # fmt: skip

__all__ = [
    "Extension",
    "NotASeal",
    "Picture",
    "Seal",
    "SealFields",
    "SealedValue",
    "StructureError",
    "VersionMismatch",
    "read_seal",
    "read_sealed_value",
    "signature_tbs",
    "signature_value",
    "write_seal",
    "write_seal_info",
]
