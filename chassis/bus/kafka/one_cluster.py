"""A client that speaks to one cluster only, however often its connections are made anew.

aiokafka repeats a batch, and a commit, over a new connection until it is taken. Behind the same address may
by then be an empty cluster: the batch would land there in front of everything that was published before it,
and a group would start there where it stood on the old one, and never hear what lies before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from aiokafka.client import ConnectionGroup
from aiokafka.errors import KafkaError, RequestTimedOutError
from aiokafka.protocol.metadata import MetadataRequest


class AnotherClusterError(KafkaError):
    """The broker behind a new connection belongs to another cluster; not to be tried again."""


def _nothing() -> None:
    """Leave it at the refusal."""


def hold_to_cluster(client: Any, cluster_id: str | None, on_another: Callable[[], None] = _nothing) -> None:
    """Have the requests of an `AIOKafkaClient` refused with AnotherClusterError by any broker that is not of this cluster.

    None stands for the cluster of its first connection. Metadata is still read from any. At each refusal
    ``on_another`` is called.
    """
    known, asked, is_ready = cluster_id, WeakSet[Any](), client.ready

    async def ready(node_id: Any, *, group: Any = ConnectionGroup.DEFAULT) -> bool:
        nonlocal known
        while await is_ready(node_id, group=group):
            connection = client._conns[node_id, group]  # noqa: SLF001 - aiokafka tells nobody that it connected anew
            if connection in asked:
                return True
            try:
                found = (await connection.send(MetadataRequest([]))).cluster_id
            except TimeoutError as problem:
                raise RequestTimedOutError() from problem
            known = known or found
            if found != known:
                on_another()
                raise AnotherClusterError()
            asked.add(connection)  # and look again: it may have been lost and made anew meanwhile
        return False

    client.ready = ready
