"""The registry in PostgreSQL: explicit SQL, personal parts encrypted per field, keyed look-ups only."""

from __future__ import annotations

from chassis.db import Transaction
from services.certs.store.disputes import DisputeStore
from services.certs.store.evidence import open_evidence
from services.certs.store.held_uses import HeldUseStore
from services.certs.store.imports import ImportStore
from services.certs.store.licence_types import TypeTable
from services.certs.store.licences import LicenceStore
from services.certs.store.life import open_life
from services.certs.store.log import LogQueue
from services.certs.store.presentations import PresentationStore
from services.certs.store.reliance import RelianceStore
from services.certs.store.sealing import Vault
from services.certs.store.sources import SourceStore
from services.certs.store.usages import UsageStore
from services.certs.store.use_codes import UseCodeStore
from services.certs.usecases.ports import Registry
from services.certs.usecases.recourse_ports import Recourse

__all__ = ["TypeTable", "Vault", "open_registry"]


def open_registry(tx: Transaction, vault: Vault) -> Registry:
    """Return the registry within one open transaction."""
    return Registry(
        LicenceStore(tx, vault),
        ImportStore(tx, vault),
        SourceStore(tx, vault),
        UseCodeStore(tx, vault),
        UsageStore(tx, vault),
        PresentationStore(tx),
        tx.publish,
        LogQueue(tx),
        open_evidence(tx, vault),
        life=open_life(tx, vault),
        recourse=Recourse(RelianceStore(tx, vault), DisputeStore(tx, vault), HeldUseStore(tx, vault)),
    )
