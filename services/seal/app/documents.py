"""What a sealed document says of its own seals, for comparing it with the ledger outside of a running service."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from chassis.errors import Fault
from chassis.fields import FieldCipher
from chassis.files import ENCRYPTED_AS
from chassis.keyring import read_keyring
from services.seal.app.wiring import companion_suite, signing_suite
from services.seal.domain.der import DerError
from services.seal.domain.ofd import (
    PackageError,
    XmlError,
    read_package,
    read_signature_file,
    view_document,
)
from services.seal.domain.structures import StructureError, read_sealed_value
from services.seal.pdf import examine
from services.seal.pdf.cms import read_message, seal_reference
from services.seal.providers import load_suites

_PDF = b"%PDF-"


@dataclass(frozen=True, slots=True)
class FoundSignature:
    """One signature in a document: its digest in hex, as the ledger records it, and the seal it names."""

    digest: str
    seal_id: str


@dataclass(frozen=True, slots=True)
class DocumentDigests:
    """The digests of one stored document in hex, as the ledger records them; those of a PDF are SHA-256."""

    sha256: str
    sm3: str
    signatures: tuple[FoundSignature, ...]

    @property
    def signatures_sm3(self) -> tuple[str, ...]:
        """The digests of its signatures alone."""
        return tuple(each.digest for each in self.signatures)


class StoredDocuments:
    """Reads encrypted documents with a service's field keys: the seal database's rows, the licence store's files."""

    def __init__(self, field_keys: Path, service: str = "seal") -> None:
        """Take the keyring file of the service. Raises KEYRING_MALFORMED, SEAL_CRYPTOGRAPHY_UNSOUND."""
        self._cipher = FieldCipher(read_keyring(field_keys), service=service)
        self._field = "sealed_document.ofd" if service == "seal" else ENCRYPTED_AS
        suites = load_suites()
        self._sm3, self._sha256 = signing_suite(suites).digest, companion_suite(suites).digest

    def digests(self, stored: bytes) -> DocumentDigests | None:
        """Return the digests of stored bytes; None where they cannot be decrypted or are no sealed document."""
        try:
            document = self._cipher.decrypt_bytes(stored, field=self._field)
            return self._pdf(document) if document.startswith(_PDF) else self._ofd(document)
        except (Fault, PackageError, XmlError, StructureError, DerError):
            return None

    def _ofd(self, document: bytes) -> DocumentDigests:
        package = read_package(document)
        files = [read_signature_file(package, each.path) for each in view_document(package).signatures]
        values = [read_sealed_value(package[file.signed_value_path]) for file in files]
        found = [FoundSignature(self._sm3(each.signature).hex(), each.seal.seal_id) for each in values]
        return DocumentDigests(hashlib.sha256(document).hexdigest(), self._sm3(document).hex(), tuple(found))

    def _pdf(self, document: bytes) -> DocumentDigests | None:
        facts = examine(document)
        if facts.problem:
            return None
        messages = [read_message(each.contents) for each in facts.signatures]
        found = []
        for each in messages:
            reference = seal_reference(each)
            digest = self._sha256(each.signature).hex()
            found.append(FoundSignature(digest, reference.seal_id if reference else ""))
        return DocumentDigests(
            hashlib.sha256(document).hexdigest(), self._sha256(document).hex(), tuple(found)
        )
