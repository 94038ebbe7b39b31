"""What the servicers need of the store: a transaction's work together with the transaction itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from chassis.db import Transaction
from services.intake.usecases.cases.ports import Work


class TransactionWork(Work, Protocol):
    """The port of the use cases on a transaction of ours; stored answers are written in the same one."""

    @property
    def tx(self) -> Transaction:
        """The open transaction."""
        ...


OpenTransaction = Callable[[], AbstractAsyncContextManager[TransactionWork]]
