"""What evidence keeps: cases told of, entrustments, annotated copies, numbers to search by."""

from __future__ import annotations

from chassis.db import Transaction
from services.certs.store.evidence.cases import CasePartStore
from services.certs.store.evidence.copies import CopyStore
from services.certs.store.evidence.entrustments import EntrustmentStore
from services.certs.store.evidence.searches import SearchStore
from services.certs.store.sealing import Vault
from services.certs.usecases.evidence_ports import Evidence


def open_evidence(tx: Transaction, vault: Vault) -> Evidence:
    """Return the evidence within one open transaction."""
    return Evidence(
        CasePartStore(tx), EntrustmentStore(tx, vault), CopyStore(tx, vault), SearchStore(tx, vault)
    )
