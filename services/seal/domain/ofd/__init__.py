"""OFD packages (GB/T 33190-2016): strict reading, deterministic writing, and what a reader can reach in one."""

from __future__ import annotations

from services.seal.domain.ofd.layout import DocumentView, Page, SignatureEntry, view_document
from services.seal.domain.ofd.markup import XmlError
from services.seal.domain.ofd.package import (
    LIMITS,
    Limits,
    Member,
    Package,
    PackageError,
    read_package,
)  # fmt: skip
from services.seal.domain.ofd.signature_file import (
    SignatureFile,
    Stamp,
    read_signature_file,
    read_signature_files,
)
from services.seal.domain.ofd.writer import new_member, write_package

__all__ = [
    "LIMITS",
    "DocumentView",
    "Limits",
    "Member",
    "Package",
    "PackageError",
    "Page",
    "SignatureEntry",
    "SignatureFile",
    "Stamp",
    "XmlError",
    "new_member",
    "read_package",
    "read_signature_file",
    "read_signature_files",
    "view_document",
    "write_package",
]
