"""The registry in PostgreSQL: explicit SQL, personal parts encrypted per field, keyed look-ups only."""

from __future__ import annotations

from chassis.db import Transaction
from services.certs.store.imports import ImportStore
from services.certs.store.licences import LicenceStore
from services.certs.store.presentations import PresentationStore
from services.certs.store.sealing import Vault
from services.certs.store.usages import UsageStore
from services.certs.store.use_codes import UseCodeStore
from services.certs.usecases.ports import Registry

__all__ = ["Vault", "open_registry"]


def open_registry(tx: Transaction, vault: Vault) -> Registry:
    """Return the registry within one open transaction."""
    return Registry(
        LicenceStore(tx, vault),
        ImportStore(tx, vault),
        UseCodeStore(tx, vault),
        UsageStore(tx, vault),
        PresentationStore(tx),
        tx.publish,
    )
