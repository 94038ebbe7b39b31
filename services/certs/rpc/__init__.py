"""What certs answers over gRPC: the servicers and how each is registered with a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.certs.rpc.confirmations import ConfirmationServicer
from services.certs.rpc.desk import Answers, Desk
from services.certs.rpc.imports import LicenceImportServicer
from services.certs.rpc.licences import LicenceServicer
from services.certs.rpc.presentations import PresentationServicer
from services.certs.rpc.summary_signer import JwsSigner
from services.certs.rpc.use_codes import UseCodeServicer
from tongban.certs.v1 import (
    confirmation_pb2_grpc,
    licence_pb2_grpc,
    presentation_pb2_grpc,
    use_code_pb2_grpc,
)

__all__ = ["Answers", "Desk", "JwsSigner", "servicers"]


def servicers(desk: Desk) -> list[tuple[Callable[[Any, Any], None], object]]:
    """Return every servicer of certs with the function that registers it."""
    return [
        (licence_pb2_grpc.add_LicenceServiceServicer_to_server, LicenceServicer(desk)),
        (licence_pb2_grpc.add_LicenceImportServiceServicer_to_server, LicenceImportServicer(desk)),
        (use_code_pb2_grpc.add_UseCodeServiceServicer_to_server, UseCodeServicer(desk)),
        (confirmation_pb2_grpc.add_ConfirmationServiceServicer_to_server, ConfirmationServicer(desk)),
        (presentation_pb2_grpc.add_PresentationServiceServicer_to_server, PresentationServicer(desk)),
    ]
