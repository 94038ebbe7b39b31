"""SignerService over gRPC, each call in a thread of the server's pool: libcrypto and tokens let go of the GIL."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeVar

import grpc

from chassis.errors import INTERNAL, Fault
from chassis.logs import get_logger
from chassis.rpc.faults import to_status
from services.seal.signer.vault import Vault
from tongban.seal.v1 import signer_pb2 as pb
from tongban.seal.v1 import signer_pb2_grpc

_log = get_logger(__name__)
_Answer = TypeVar("_Answer")
add_signer_service = signer_pb2_grpc.add_SignerServiceServicer_to_server


class SignerServicer(signer_pb2_grpc.SignerServiceServicer):
    """Asks the vault; what it refuses is told as a rich status, never with anything of a key."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def GenerateKey(  # noqa: N802 - the name is the proto's
        self, request: pb.GenerateKeyRequest, context: grpc.ServicerContext
    ) -> pb.GenerateKeyResponse:
        """Return a fresh key pair."""
        made = _answered(context, lambda: self._vault.generate(request.suite, request.key_id))
        _log.info("key_generated", key_id=request.key_id, suite=request.suite)
        return pb.GenerateKeyResponse(public_key=made.public_key, wrapped_key=made.wrapped_key)

    def SignMessage(  # noqa: N802 - the name is the proto's
        self, request: pb.SignMessageRequest, context: grpc.ServicerContext
    ) -> pb.SignMessageResponse:
        """Return the signature over the whole message."""
        said = (request.suite, request.key_id, request.wrapped_key, request.message)
        return pb.SignMessageResponse(signature=_answered(context, lambda: self._vault.sign(*said)))

    def RewrapKey(self, request: pb.RewrapKeyRequest, context: grpc.ServicerContext) -> pb.RewrapKeyResponse:  # noqa: N802 - the name is the proto's
        """Return the key under the newest secret."""
        again = _answered(context, lambda: self._vault.rewrap(request.key_id, request.wrapped_key))
        return pb.RewrapKeyResponse(wrapped_key=again)

    def CheckSigner(  # noqa: N802 - the name is the proto's
        self, request: pb.CheckSignerRequest, context: grpc.ServicerContext
    ) -> pb.CheckSignerResponse:
        """Return if it could sign now."""
        del request
        _answered(context, self._vault.check)
        return pb.CheckSignerResponse(vault=self._vault.kind)


def _answered(context: grpc.ServicerContext, work: Callable[[], _Answer]) -> _Answer:
    if not context.is_active():  # it waited for a thread for longer than its caller did
        context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "nobody waits any more")
    try:
        return work()
    except Fault as fault:
        _log.warning("refused", reason=fault.code)
        _refuse(context, fault)
    except Exception:  # noqa: BLE001 - nothing of a key may travel in an unexpected error
        _log.exception("failed")
        _refuse(context, INTERNAL(incident="signer"))


def _refuse(context: grpc.ServicerContext, fault: Fault) -> NoReturn:
    context.abort_with_status(to_status(fault))
    raise fault  # abort raises; this line is for who reads and for the types
