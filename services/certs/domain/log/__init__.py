"""What the transparency log (透明日志) says of licences: one leaf for every change and every use."""

from __future__ import annotations

from services.certs.domain.log.leaf import Leaf, leaf_bytes
from services.certs.domain.log.leaves import (
    ADOPT,
    DOCUMENT,
    ENTRUSTMENT,
    LICENCE,
    ORDER,
    STATUS_CHANGE,
    USAGE,
    USE_CODE,
    adopted_change_leaf,
    content_commitment,
    document_commitment,
    document_salt,
    entrustment_leaf,
    holds_content,
    licence_leaf,
    pdf_leaf,
    usage_leaf,
    usage_leaf_text,
    use_code_leaf,
)

__all__ = [
    "ADOPT",
    "DOCUMENT",
    "ENTRUSTMENT",
    "LICENCE",
    "ORDER",
    "STATUS_CHANGE",
    "USAGE",
    "USE_CODE",
    "Leaf",
    "adopted_change_leaf",
    "content_commitment",
    "document_commitment",
    "document_salt",
    "entrustment_leaf",
    "holds_content",
    "leaf_bytes",
    "licence_leaf",
    "pdf_leaf",
    "usage_leaf",
    "usage_leaf_text",
    "use_code_leaf",
]
