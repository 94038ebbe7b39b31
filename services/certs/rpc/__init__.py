"""What certs answers over gRPC: the servicers and how each is registered with a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.certs.rpc.confirmations import ConfirmationServicer
from services.certs.rpc.desk import Answers, Desk
from services.certs.rpc.evidence import EvidenceServicer
from services.certs.rpc.imports import LicenceImportServicer
from services.certs.rpc.licence_types import LicenceTypeServicer
from services.certs.rpc.licences import LicenceServicer
from services.certs.rpc.life import LicenceLifeServicer
from services.certs.rpc.presentations import PresentationServicer
from services.certs.rpc.sources import SourceServicer
from services.certs.rpc.summary_signer import IntakeStatements, JwsSigner
from services.certs.rpc.use_codes import UseCodeServicer
from tongban.certs.v1 import (
    confirmation_pb2_grpc,
    evidence_pb2_grpc,
    licence_life_pb2_grpc,
    licence_pb2_grpc,
    licence_type_pb2_grpc,
    presentation_pb2_grpc,
    source_pb2_grpc,
    use_code_pb2_grpc,
)

__all__ = ["Answers", "Desk", "IntakeStatements", "JwsSigner", "servicers"]


def servicers(desk: Desk) -> list[tuple[Callable[[Any, Any], None], object]]:
    """Return every servicer of certs with the function that registers it."""
    return [
        (licence_pb2_grpc.add_LicenceServiceServicer_to_server, LicenceServicer(desk)),
        (licence_pb2_grpc.add_LicenceImportServiceServicer_to_server, LicenceImportServicer(desk)),
        (licence_type_pb2_grpc.add_LicenceTypeServiceServicer_to_server, LicenceTypeServicer(desk)),
        (licence_life_pb2_grpc.add_LicenceLifeServiceServicer_to_server, LicenceLifeServicer(desk)),
        (source_pb2_grpc.add_SourceServiceServicer_to_server, SourceServicer(desk)),
        (use_code_pb2_grpc.add_UseCodeServiceServicer_to_server, UseCodeServicer(desk)),
        (confirmation_pb2_grpc.add_ConfirmationServiceServicer_to_server, ConfirmationServicer(desk)),
        (evidence_pb2_grpc.add_EvidenceServiceServicer_to_server, EvidenceServicer(desk)),
        (presentation_pb2_grpc.add_PresentationServiceServicer_to_server, PresentationServicer(desk)),
    ]
