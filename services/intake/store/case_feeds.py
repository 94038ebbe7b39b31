"""The departments' change feeds and the cases' timelines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple

from chassis.db import Transaction
from chassis.fields import FieldCipher
from services.intake.domain.cases.states import PartState
from services.intake.store.coded import TIMELINE
from services.intake.usecases.cases.ports import PartChange, TimelineEntry


class FeedRows:
    """Change feeds (办件推送). ``touched`` names the departments that heard something in this transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.touched: set[str] = set()

    async def append(self, changes: Sequence[PartChange]) -> None:
        """Give each change the next revision of its department and store them all.

        The counters are locked until the commit, in one order by every transaction: revisions are
        gapless, appear in commit order, and nobody waits in a circle.
        """
        by_department: dict[str, list[PartChange]] = defaultdict(list)
        for change in changes:
            by_department[change.department_code].append(change)
        for department in sorted(by_department):
            await self._append(department, by_department[department])

    async def _append(self, department: str, changes: Sequence[PartChange]) -> None:
        last = await self._tx.fetchval(
            """
            insert into department_feed as old (department_code, revision) values ($1, $2)
            on conflict (department_code) do update set revision = old.revision + $2
            returning revision
            """,
            department,
            len(changes),
        )
        first = int(last) - len(changes) + 1
        await self._tx.executemany(
            """
            insert into part_change (department_code, revision, part_id, change, state, changed_at)
            values ($1, $2, $3, $4, $5, $6)
            """,
            [
                (department, revision, change.part_id, change.change, change.state.value, change.changed_at)
                for revision, change in enumerate(changes, start=first)
            ],
        )
        self.touched.add(department)

    async def read(self, department_code: str, after: int, limit: int) -> Sequence[PartChange]:
        """Return the changes of a department after a revision, in order."""
        rows = await self._tx.fetch(
            """
            select revision, part_id, change, state, changed_at from part_change
            where department_code = $1 and revision > $2 order by revision limit $3
            """,
            department_code,
            after,
            limit,
        )
        return [
            PartChange(
                department_code,
                row["part_id"],
                row["change"],
                PartState(row["state"]),
                row["changed_at"],
                row["revision"],
            )
            for row in rows
        ]

    async def head(self, department_code: str) -> int:
        """Return the last revision given to a department, 0 for none."""
        found = await self._tx.fetchval(
            "select revision from department_feed where department_code = $1", department_code
        )
        return int(found or 0)


class TimelineRows:
    """Timelines of the cases of this service; entries of other services' cases are dropped."""

    def __init__(self, tx: Transaction, cipher: FieldCipher) -> None:
        self._tx, self._cipher = tx, cipher

    async def add(self, entries: Sequence[TimelineEntry]) -> None:
        """Keep entries of known cases; one that is there already is left as it is."""
        if entries:
            await self._tx.executemany(
                f"""
                insert into case_timeline ({TIMELINE.names})
                select $1, $2, $3, $4, $5, $6 where exists (select from service_case where case_id = $1)
                on conflict do nothing
                """,  # noqa: S608 - constants
                [TIMELINE.coded(self._cipher, astuple(each)) for each in entries],
            )

    async def of_case(self, case_id: str) -> Sequence[TimelineEntry]:
        """Return the entries of a case in order of time. Raises ROW_ALTERED."""
        rows = await self._tx.fetch(
            f"""
            select {TIMELINE.names} from case_timeline
            where case_id = $1 order by at, service, what, reference
            """,  # noqa: S608 - constants
            case_id,
        )
        for row in rows:
            TIMELINE.check(self._cipher, row)
        return [
            TimelineEntry(row["case_id"], row["at"], row["service"], row["what"], row["reference"])
            for row in rows
        ]
