"""Licence types as versioned data: published against what is stored, listed, shown."""

from __future__ import annotations

from services.certs.usecases.licence_types.directory import Wanted, search_directory
from services.certs.usecases.licence_types.ports import OpenRecords, PublishedType, StoredFace, TypeRecords
from services.certs.usecases.licence_types.publishing import plan, publish, publish_missing, walk
from services.certs.usecases.licence_types.reading import get_type, list_types, read_documents
from services.certs.usecases.licence_types.tally import Planned, Tally

__all__ = [
    "OpenRecords",
    "Planned",
    "PublishedType",
    "StoredFace",
    "Tally",
    "TypeRecords",
    "Wanted",
    "get_type",
    "list_types",
    "plan",
    "publish",
    "publish_missing",
    "read_documents",
    "search_directory",
    "walk",
]
