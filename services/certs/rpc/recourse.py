"""The servicers of what follows a use: reliance, disputes, standings, the holder's view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.certs.rpc.desk import Desk
from services.certs.rpc.disputes import DisputeServicer
from services.certs.rpc.held_uses import HolderServicer
from services.certs.rpc.reliance import RelianceServicer
from services.certs.rpc.standing import StandingDesk, StandingServicer
from services.certs.usecases.dispute import DisputeRules
from tongban.certs.v1 import dispute_pb2_grpc, holder_pb2_grpc, reliance_pb2_grpc, standing_pb2_grpc

__all__ = ["RecourseDesk", "StandingDesk", "recourse_servicers"]


@dataclass(frozen=True, slots=True)
class RecourseDesk:
    """What these servicers work with besides the desk."""

    rules: DisputeRules
    standing: StandingDesk


def recourse_servicers(desk: Desk, recourse: RecourseDesk) -> list[tuple[Callable[[Any, Any], None], object]]:
    """Return each servicer with the function that registers it."""
    disputes = DisputeServicer(desk, recourse.rules)
    standing = StandingServicer(desk, recourse.standing)
    return [
        (reliance_pb2_grpc.add_RelianceServiceServicer_to_server, RelianceServicer(desk)),
        (dispute_pb2_grpc.add_DisputeServiceServicer_to_server, disputes),
        (standing_pb2_grpc.add_StandingServiceServicer_to_server, standing),
        (holder_pb2_grpc.add_HolderServiceServicer_to_server, HolderServicer(desk)),
    ]
