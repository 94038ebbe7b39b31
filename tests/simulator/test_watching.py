"""The model that watched streams are checked against finds what must not be, and the stream is honest."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from chassis.errors import Fault
from chassis.rpc.call import Caller, enter
from chassis.rpc.peer import Peer
from services.intake.rpc.part import PartServicer
from services.intake.usecases.cases.watching import REVISION_UNKNOWN
from tests.simulator.database.connection import open_database
from tests.simulator.database.engine import Server
from tests.simulator.services.intake import MemoryWorks
from tests.simulator.watching import Watcher
from tests.simulator.world import World
from tongban.intake.v1 import part_pb2 as pb

pytestmark = [pytest.mark.promise("P7")]


def told(revision: int, part_id: str = "part") -> Any:
    return SimpleNamespace(revision=revision, part_id=part_id, change="accepted")


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([told(1), told(3)], id="gap"),
        pytest.param([told(1), told(2), told(2)], id="twice"),
        pytest.param([told(1), told(2), told(1)], id="backwards"),
        pytest.param([told(1), told(2, "")], id="mark ahead of the changes"),
    ],
)
def test_the_model_finds_what_a_stream_must_not_tell(answers: list[Any]) -> None:
    watcher = Watcher(0, "department")
    for answer in answers:
        watcher.take(answer)
    assert watcher.wrong


def test_the_model_accepts_changes_in_order_with_marks_between() -> None:
    watcher = Watcher(0, "department")
    for answer in (told(0, ""), told(1), told(2), told(2, ""), told(3)):
        watcher.take(answer)
    assert not watcher.wrong


@pytest.mark.parametrize("head", [0, 3])
def test_a_revision_that_is_no_more_is_refused_by_name_and_not_met_with_silence(head: int) -> None:
    """The database was restored to an older state: whoever knows a later revision must read the list anew."""
    world = World(1)
    server = Server(world, "intake")
    server.tables["department_feed"]["department"] = {"kept": head}

    async def resume() -> list[Any]:
        enter(Caller(Peer("department", "department")))
        works, nobody = MemoryWorks(open_database(server, None), {}), None
        servicer = PartServicer(works, nobody, nobody, works.bell, nobody)  # type: ignore[arg-type]
        stream = servicer.WatchParts(pb.WatchPartsRequest(start_revision=head + 1), nobody)  # type: ignore[arg-type]
        return [answer async for answer in stream]

    with pytest.raises(Fault) as refused:
        world.run(resume())
    assert refused.value.reason is REVISION_UNKNOWN
    assert refused.value.en.endswith("read the list anew")
