"""What the transparency log (透明日志) says of licences: one leaf for every change and every use."""

from __future__ import annotations

from services.certs.domain.log.leaf import Leaf, leaf_bytes
from services.certs.domain.log.leaves import (
    LICENCE,
    USAGE,
    USE_CODE,
    content_commitment,
    holds_content,
    licence_leaf,
    usage_leaf,
    use_code_leaf,
)

__all__ = [
    "LICENCE",
    "USAGE",
    "USE_CODE",
    "Leaf",
    "content_commitment",
    "holds_content",
    "leaf_bytes",
    "licence_leaf",
    "usage_leaf",
    "use_code_leaf",
]
