"""Certificates and signed lists that the maker publishes and verifiers use."""

from __future__ import annotations

from datetime import datetime

from chassis.db import Transaction
from services.seal.usecases.ports import IssuedList, TrustBundle

_BETWEEN = frozenset({"authority", "maker", "tsa"})


class TrustTable:
    """Implements the port Trust."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def keep_certificate(self, role: str, fingerprint: str, certificate: bytes) -> None:
        """Keep a certificate under its role: anchor, authority, maker, status, tsa or tsa_anchor."""
        await self._tx.execute(
            """insert into trust_certificate (fingerprint, role, certificate, kept_at) values ($1, $2, $3, $4)
            on conflict (fingerprint) do nothing""",
            fingerprint,
            role,
            certificate,
            self._tx.now(),
        )

    async def last_number(self, issuer: str) -> int:
        """Return the number of an issuer's newest list, 0 before the first; issuers by fingerprint."""
        return int(
            await self._tx.fetchval(
                "select coalesce(max(number), 0) from signed_list where issuer = $1", issuer
            )
        )

    async def keep_list(self, issuer: str, kind: str, issued: IssuedList) -> None:
        """Keep a signed list of kind crl, companion or status; earlier ones stay, for verifying as of an earlier moment."""
        await self._tx.execute(
            """insert into signed_list (issuer, number, kind, data, issued_at, next_update)
            values ($1, $2, $3, $4, $5, $6)""",
            issuer,
            issued.number,
            kind,
            issued.data,
            issued.issued_at,
            issued.next_update,
        )

    async def bundle(self, at: datetime) -> TrustBundle:
        """Return the certificates, and of each issuer the newest list of each kind that was issued by a moment."""
        known = await self._tx.fetch(
            "select fingerprint, role, certificate from trust_certificate order by kept_at"
        )
        lists = await self._tx.fetch(
            """select distinct on (issuer, kind) kind, data from signed_list where issued_at <= $1
            order by issuer, kind, number desc""",
            at,
        )
        return TrustBundle(
            anchors=tuple(row["certificate"] for row in known if row["role"] == "anchor"),
            certificates=tuple(row["certificate"] for row in known if row["role"] in _BETWEEN),
            crls=tuple(row["data"] for row in lists if row["kind"] == "crl"),
            status_list=next((row["data"] for row in lists if row["kind"] == "status"), b""),
            companion_list=next((row["data"] for row in lists if row["kind"] == "companion"), b""),
            own_makers=tuple(row["fingerprint"] for row in known if row["role"] == "maker"),
            timestamp_anchors=tuple(row["certificate"] for row in known if row["role"] == "tsa_anchor"),
        )
