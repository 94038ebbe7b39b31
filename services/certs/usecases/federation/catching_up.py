"""Ask a registry for what did not come by itself: messages that are missing, and proofs of those that came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chassis.errors import Fault
from services.certs.domain.federation import Agreement, Federation, ReplicaState
from services.certs.usecases.federation.exchanging import PAGE
from services.certs.usecases.federation.ports import Envelopes, Online, OpenReplica, ReplicaBook
from services.certs.usecases.federation.receiving import Received, receive_all

PAGES = 50
"""Asked for before other registries' turn comes again."""
STALE_SECONDS = 3.0
"""Without a verified heartbeat for so long its registry is asked for what may be missing."""
ASK_AGAIN = timedelta(seconds=60)
"""Between two questions for the same proof."""


async def catch_up(
    open_replica: OpenReplica,
    online: Online,
    federation: Federation,
    envelopes: Envelopes,
    agreement: Agreement,
    now: Callable[[], datetime],
) -> list[Received]:
    """Ask a registry for what is missing if its replica is stale, then for proofs; return what became of the messages.

    A registry that does not answer is asked again later; so is one that never comes to an end.
    """
    if not agreement.accept or not agreement.peer.address:
        return []
    asking = _Asking(open_replica, online, federation, envelopes, agreement, now)
    if await asking.for_missing():
        await asking.for_proofs()
    return asking.taken


@dataclass(slots=True)
class _Asking:
    """One registry, asked; ``taken`` is what became of its messages."""

    open_replica: OpenReplica
    online: Online
    federation: Federation
    envelopes: Envelopes
    agreement: Agreement
    now: Callable[[], datetime]
    taken: list[Received] = field(default_factory=list)

    async def for_missing(self) -> bool:
        """Ask for what was not heard, page by page; return whether the registry answers as far as is known."""
        async with self.open_replica() as book:
            state = await self._state(book)
        if state.age_seconds(self.now()) < STALE_SECONDS:
            return True
        for _ in range(PAGES):
            if state.frozen_at is not None:
                return True
            messages = await self._since(state.through, state.size)
            if messages is None:
                return False
            async with self.open_replica() as book:
                await self._take(book, messages)
                after = await self._state(book)
            if after.through == state.through or after.through >= after.heard_ordinal > 0:
                return True
            state = after
        return True

    async def for_proofs(self) -> None:
        """Have a page of messages told again that were not proved in their time; each is asked for once a minute."""
        async with self.open_replica() as book:
            state = await self._state(book)
            ordinal = await book.replica.proofs.ask_from(state.registry_id, self.now())
        if ordinal is None or state.frozen_at is not None:
            return
        messages = await self._since(ordinal - 1, state.size)
        if messages is None:
            return
        async with self.open_replica() as book:
            await book.replica.lock_state(state.registry_id)
            at = self.now()
            await book.replica.proofs.put_off(state.registry_id, ordinal, PAGE, at, at + ASK_AGAIN)
            await self._take(book, messages)

    async def _take(self, book: ReplicaBook, messages: Sequence[str]) -> None:
        self.taken += await receive_all(book.replica, self.federation, self.envelopes, messages, self.now())

    async def _state(self, book: ReplicaBook) -> ReplicaState:
        registry_id = self.agreement.registry_id
        return await book.replica.state(registry_id) or ReplicaState(registry_id)

    async def _since(self, ordinal: int, size: int) -> list[str] | None:
        try:
            return await self.online.since(self.agreement.peer, ordinal, size)
        except Fault:
            return None
