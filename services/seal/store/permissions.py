"""Grants, rules and approvals: append-only rows, each with its integrity code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from chassis.audit import recording
from chassis.db import Transaction
from chassis.fields import FieldCipher
from chassis.row_codes import CodedTable
from services.seal.domain.authorisation import (
    Approval,
    DocumentType,
    Grant,
    GranteeKind,
    SealRules,
    Withdrawal,
)
from services.seal.store.coded import SEAL_APPROVAL, SEAL_GRANT, SEAL_GRANT_WITHDRAWAL, SEAL_RULE


class PermissionTable:
    """Implements the port Permissions."""

    def __init__(self, tx: Transaction, cipher: FieldCipher | None) -> None:
        self._tx = tx
        self._cipher = cipher

    async def grants(self, seal_id: str) -> tuple[Sequence[Grant], Mapping[str, Withdrawal]]:
        """Return a seal's explicit grants, oldest first, and every withdrawal by its grant's id, the implicit one's too."""
        ended = await self._read(SEAL_GRANT_WITHDRAWAL, "seal_id = $1", seal_id)
        withdrawals = {str(row["grant_id"]): _withdrawal(row) for row in ended}
        rows = await self._read(SEAL_GRANT, "seal_id = $1 order by granted_at, grant_id", seal_id)
        return [_grant(row, withdrawals.get(str(row["grant_id"]))) for row in rows], withdrawals

    async def add_grant(self, grant: Grant) -> None:
        """Enter a grant. Raises AUDIT_UNWRITABLE."""
        await self._add(
            SEAL_GRANT,
            (
                *(UUID(grant.grant_id), grant.seal_id, grant.grantee_kind.value, grant.grantee),
                *(grant.document_type.value, grant.service_item, grant.case_id),
                *(grant.valid_from, grant.valid_until, grant.granted_at, grant.second_person),
                *(grant.operator, grant.reason, grant.account),
            ),
        )

    async def withdraw(self, seal_id: str, grant_id: str, withdrawal: Withdrawal) -> None:
        """Enter the end of a grant. Raises AUDIT_UNWRITABLE."""
        await self._add(
            SEAL_GRANT_WITHDRAWAL,
            (
                *(UUID(grant_id), seal_id, withdrawal.withdrawn_at),
                *(withdrawal.operator, withdrawal.reason, withdrawal.account),
            ),
        )

    async def rules(self, seal_id: str) -> SealRules:
        """Return a seal's present rules."""
        rows = await self._read(SEAL_RULE, "seal_id = $1 order by version desc limit 1", seal_id)
        return SealRules(**_values(SEAL_RULE, rows[0])) if rows else SealRules(seal_id)

    async def add_rules(self, rules: SealRules) -> None:
        """Enter the next version of a seal's rules. Raises AUDIT_UNWRITABLE."""
        await self._add(
            SEAL_RULE,
            (
                *(rules.seal_id, rules.version, rules.quorum, rules.daily_limit, rules.burst_limit),
                *(rules.changed_at, rules.second_person, rules.operator, rules.reason, rules.account),
            ),
        )

    async def approvals(self, seal_id: str, document_sha256: str) -> Sequence[Approval]:
        """Return the approvals of a document since the seal was last used under it."""
        rows = await self._read(
            SEAL_APPROVAL,
            """seal_id = $1 and document_sha256 = $2 and approved_at > coalesce(
              (select max(used_at) from seal_use where unsealed_sha256 = $2 and seal_id = $1 and outcome = 'sealed'),
              '-infinity') order by approved_at, approval_id""",
            seal_id,
            document_sha256,
        )
        return [
            Approval(**_values(SEAL_APPROVAL, row) | {"approval_id": str(row["approval_id"])}) for row in rows
        ]

    async def add_approval(self, approval: Approval) -> None:
        """Enter an approval. Raises AUDIT_UNWRITABLE."""
        await self._add(
            SEAL_APPROVAL,
            (
                *(UUID(approval.approval_id), approval.seal_id, approval.document_sha256, approval.approver),
                *(approval.note, approval.account, approval.approved_at),
            ),
        )

    async def _read(self, table: CodedTable, where: str, *values: object) -> list[Any]:
        assert self._cipher is not None, "this process uses no seals"
        rows = await self._tx.fetch(f"select {table.names} from {table.table} where {where}", *values)  # noqa: S608
        for row in rows:
            table.check(self._cipher, row)
        return list(rows)

    async def _add(self, table: CodedTable, values: tuple[object, ...]) -> None:
        assert self._cipher is not None, "this process uses no seals"
        places = ", ".join(f"${at}" for at in range(1, len(table.columns) + 2))
        with recording(table.table):
            await self._tx.execute(
                f"insert into {table.table} ({table.names}) values ({places})",  # noqa: S608
                *table.coded(self._cipher, values),
            )


def _values(table: CodedTable, row: Any) -> dict[str, Any]:
    return {name: row[name] for name in table.columns}


def _withdrawal(row: Any) -> Withdrawal:
    return Withdrawal(row["withdrawn_at"], row["operator"], row["reason"], row["account"])


def _grant(row: Any, withdrawal: Withdrawal | None) -> Grant:
    values = _values(SEAL_GRANT, row) | {"grant_id": str(row["grant_id"])}
    values["grantee_kind"] = GranteeKind(row["grantee_kind"])
    values["document_type"] = DocumentType(row["document_type"])
    return Grant(**values, withdrawal=withdrawal)
