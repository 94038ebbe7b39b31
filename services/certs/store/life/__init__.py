"""The life of licences in PostgreSQL; every row that decides carries an integrity code."""

from __future__ import annotations

from chassis.db import Transaction
from services.certs.store.life.erasures import ErasureStore
from services.certs.store.life.inspections import InspectionStore
from services.certs.store.life.links import LinkStore
from services.certs.store.life.orders import OrderStore
from services.certs.store.life.pdfs import PdfStore
from services.certs.store.sealing import Vault
from services.certs.usecases.life.ports import Life

__all__ = ["open_life"]


def open_life(tx: Transaction, vault: Vault) -> Life:
    """Return everything about the life of licences within one open transaction."""
    return Life(
        OrderStore(tx, vault),
        LinkStore(tx, vault),
        InspectionStore(tx, vault),
        ErasureStore(tx, vault),
        PdfStore(tx, vault),
    )
