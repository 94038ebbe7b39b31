"""The proof beside a licence's document: a C2SP tlog-proof whose extra data bind it to the document.

The extra data are RFC 8785 JSON: the leaf, which the proof shows to be in the log, and the salt with which
the leaf names the sealed document by its digest.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chassis.errors import Kind, declare
from chassis.tlog.proof import LOG_PROOF_MALFORMED, LogProof, parse_proof
from services.certs.domain.log.leaves import document_commitment

DOCUMENT_NOT_NAMED = declare(
    "DOCUMENT_NOT_NAMED",
    Kind.FAILED_PRECONDITION,
    "该证明未绑定文件：证照当时无签章文件，或所发为加注件，或盐值已删除",
    "The proof names no document: the licence had none, a copy was handed out, or its salt was deleted",
)
DOCUMENT_OF_ANOTHER = declare(
    "DOCUMENT_OF_ANOTHER",
    Kind.INVALID_ARGUMENT,
    "文件不是日志所记载的签章原件",
    "The document is not the sealed original that the log names",
)


@dataclass(frozen=True, slots=True)
class LeafProof:
    """A leaf and the proof that it is in the log (随证照流转的日志证明); nothing of it is checked yet."""

    leaf: bytes
    proof: LogProof
    document_salt: bytes = field(default=b"", repr=False)

    @property
    def text(self) -> str:
        """The file."""
        extra = {"document_salt": self.document_salt.hex(), "leaf": self.leaf.decode()}
        content = json.dumps(extra, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
        return LogProof(self.proof.index, self.proof.hashes, self.proof.checkpoint, content).text

    @property
    def said(self) -> Mapping[str, Any]:
        """What the leaf says; empty for what is no leaf."""
        try:
            content = json.loads(self.leaf)
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}

    def require_document(self, content: bytes) -> None:
        """Raise DOCUMENT_NOT_NAMED, DOCUMENT_OF_ANOTHER unless the leaf names this document."""
        facts = self.said.get("facts")
        named = facts.get("document") if isinstance(facts, dict) else None
        if not isinstance(named, str) or not self.document_salt:
            raise DOCUMENT_NOT_NAMED()
        found = document_commitment(self.document_salt, hashlib.sha256(content).hexdigest())
        if not hmac.compare_digest(found.encode(), named.encode()):
            raise DOCUMENT_OF_ANOTHER()


def read_leaf_proof(text: str) -> LeafProof:
    """Read the file. Raises LOG_PROOF_MALFORMED."""
    proof = parse_proof(text)
    try:
        extra = json.loads(proof.extra)
        found = LeafProof(extra["leaf"].encode(), proof, bytes.fromhex(extra["document_salt"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise LOG_PROOF_MALFORMED() from None
    if found.text != text:
        raise LOG_PROOF_MALFORMED()
    return found
