"""Making seals and sealing OFD documents with them (GB/T 38540-2020 clause 7, GB/T 33190 clause 18)."""

from __future__ import annotations

from services.seal.domain.placing import STAMP_OUTSIDE_PAGE, Placement
from services.seal.domain.sealing.documents import SealedDocument, seal_document
from services.seal.domain.sealing.opening import (
    OFD_ALREADY_SEALED,
    OFD_REFUSED,
    OFD_SIGNATURE_BROKEN,
    OFD_TOO_MANY_SIGNATURES,
    Protect,
)  # fmt: skip
from services.seal.domain.sealing.seals import (
    SEAL_MALFORMED,
    SEAL_NOT_USABLE,
    SealInUse,
    make_seal,
    prepare_seal,
)  # fmt: skip

__all__ = [
    "OFD_ALREADY_SEALED",
    "OFD_REFUSED",
    "OFD_SIGNATURE_BROKEN",
    "OFD_TOO_MANY_SIGNATURES",
    "SEAL_MALFORMED",
    "SEAL_NOT_USABLE",
    "STAMP_OUTSIDE_PAGE",
    "Placement",
    "Protect",
    "SealInUse",
    "SealedDocument",
    "make_seal",
    "prepare_seal",
    "seal_document",
]
