"""SealService, SignatureService and VerificationService over gRPC."""

from __future__ import annotations

from services.seal.rpc.applications import Counter
from services.seal.rpc.desk import Desk
from services.seal.rpc.seals import SealServicer
from services.seal.rpc.signatures import SignatureServicer
from services.seal.rpc.verification import VerificationServicer
from tongban.seal.v1 import seal_pb2_grpc

__all__ = [
    "Counter",
    "Desk",
    "SealServicer",
    "SignatureServicer",
    "VerificationServicer",
    "add_seal_service",
    "add_signature_service",
    "add_verification_service",
]

add_seal_service = seal_pb2_grpc.add_SealServiceServicer_to_server
add_signature_service = seal_pb2_grpc.add_SignatureServiceServicer_to_server
add_verification_service = seal_pb2_grpc.add_VerificationServiceServicer_to_server
