"""What a sealed document says of its own seals, for comparing it with the ledger outside of a running service."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from chassis.errors import Fault
from chassis.fields import FieldCipher
from chassis.keyring import read_keyring
from services.seal.app.wiring import signing_suite
from services.seal.domain.ofd import (
    PackageError,
    XmlError,
    read_package,
    read_signature_file,
    view_document,
)
from services.seal.domain.structures import StructureError, read_sealed_value
from services.seal.providers import load_suites


@dataclass(frozen=True, slots=True)
class DocumentDigests:
    """The digests of one stored document in hex, as the ledger records them."""

    sha256: str
    sm3: str
    signatures_sm3: tuple[str, ...]


class StoredDocuments:
    """Reads the encrypted documents of the seal database with its field keys."""

    def __init__(self, field_keys: Path) -> None:
        """Take the keyring file of the seal service. Raises KEYRING_MALFORMED, SEAL_CRYPTOGRAPHY_UNSOUND."""
        self._cipher = FieldCipher(read_keyring(field_keys), service="seal")
        self._digest = signing_suite(load_suites()).digest

    def digests(self, stored: bytes) -> DocumentDigests | None:
        """Return the digests of a row's bytes; None where they cannot be decrypted or are no sealed OFD."""
        try:
            document = self._cipher.decrypt_bytes(stored, field="sealed_document.ofd")
            package = read_package(document)
            files = [read_signature_file(package, each.path) for each in view_document(package).signatures]
            values = [read_sealed_value(package[file.signed_value_path]).signature for file in files]
        except (Fault, PackageError, XmlError, StructureError):
            return None
        return DocumentDigests(
            hashlib.sha256(document).hexdigest(),
            self._digest(document).hex(),
            tuple(self._digest(value).hex() for value in values),
        )
