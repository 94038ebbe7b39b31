"""What seal asks of others: documents that wait for a seal, from certs; signatures, from the signer."""

from __future__ import annotations

from services.seal.clients.documents import CertsDocuments
from services.seal.clients.signer import RemoteSigner, look

__all__ = ["CertsDocuments", "RemoteSigner", "look"]
