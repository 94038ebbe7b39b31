"""What the transparency log (透明日志) says of licences: one leaf for every change and every use."""

from __future__ import annotations

from services.certs.domain.log.leaf import Leaf, leaf_bytes
from services.certs.domain.log.leaves import (
    ADOPT,
    LICENCE,
    STATUS_CHANGE,
    USAGE,
    USE_CODE,
    adopted_change_leaf,
    content_commitment,
    holds_content,
    licence_leaf,
    usage_leaf,
    use_code_leaf,
)

__all__ = [
    "ADOPT",
    "LICENCE",
    "STATUS_CHANGE",
    "USAGE",
    "USE_CODE",
    "Leaf",
    "adopted_change_leaf",
    "content_commitment",
    "holds_content",
    "leaf_bytes",
    "licence_leaf",
    "usage_leaf",
    "use_code_leaf",
]
