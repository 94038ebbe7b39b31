"""The signer as its callers see it: a unix socket, a deadline, and no trust in what comes back unverified."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TypeVar

import grpc

from chassis.errors import DEADLINE_PASSED, PEER_UNAVAILABLE, TOO_MANY_REQUESTS, Fault
from chassis.logs import get_logger
from chassis.rpc.faults import MAX_MESSAGE_BYTES, from_error
from chassis.telemetry import counter, gauge
from services.seal.domain.suite import Suite, Suites
from services.seal.usecases.ports import NewKey
from services.seal.usecases.signing import SIGNER_ANSWER_WRONG, SIGNER_UNAVAILABLE
from tongban.seal.v1 import signer_pb2 as pb
from tongban.seal.v1 import signer_pb2_grpc

DEADLINE_SECONDS = 10.0
_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # a fresh channel does not inherit the back-off of a broken one
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.enable_http_proxy", 0),
)
_DOWN = frozenset({PEER_UNAVAILABLE.code, DEADLINE_PASSED.code, TOO_MANY_REQUESTS.code})
"""What a call that got no answer of the signer's own ends with."""
UP = gauge("seal_signer_up", "Whether the signer could sign at the last look, 1 or 0")
WRONG = counter("seal_signatures_wrong", "Signatures that came back from the signer and did not verify")
_log = get_logger(__name__)
_Answer = TypeVar("_Answer")


class RemoteSigner:
    """Implements the ports Signer and Rewrapping over the signer's socket; safe to call from several threads.

    A connection that broke is left behind at once: the next call makes a fresh one.
    """

    def __init__(self, socket: Path, suites: Suites, *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._socket, self._suites, self._deadline_seconds = socket, suites, deadline_seconds
        self._connection: _Connection | None = None
        self._lock = Lock()

    def generate(self, suite: str, key_id: str) -> NewKey:
        """Return a fresh key pair. Raises SIGNER_UNAVAILABLE."""
        request = pb.GenerateKeyRequest(suite=suite, key_id=key_id)
        answer = self._call(lambda stub, limit: stub.GenerateKey(request, timeout=limit))
        return NewKey(answer.public_key, answer.wrapped_key)

    def open(self, suite: str, key_id: str, wrapped_key: bytes, public_key: bytes) -> _RemoteKey:
        """Return the key for use; nothing is asked before it signs."""
        chosen = self._suites.by_name(suite)
        if chosen is None:
            message = f"no suite {suite}"
            raise ValueError(message)
        return _RemoteKey(self, chosen, key_id, wrapped_key, public_key)

    def rewrap(self, key_id: str, wrapped_key: bytes) -> bytes:
        """Return the key under the newest secret, unchanged where it is.

        Raises KEYSTORE_UNREADABLE, SIGNER_UNAVAILABLE.
        """
        request = pb.RewrapKeyRequest(key_id=key_id, wrapped_key=wrapped_key)
        answer = self._call(lambda stub, limit: stub.RewrapKey(request, timeout=limit))
        return answer.wrapped_key

    def check(self) -> str:
        """Return the kind of the signer's vault if it could sign now. Raises SIGNER_UNAVAILABLE."""
        request = pb.CheckSignerRequest()
        return self._call(lambda stub, limit: stub.CheckSigner(request, timeout=limit)).vault

    def signature(self, suite: str, key_id: str, wrapped_key: bytes, message: bytes) -> bytes:
        """Return what the signer answers, not verified yet."""
        request = pb.SignMessageRequest(suite=suite, key_id=key_id, wrapped_key=wrapped_key, message=message)
        return self._call(lambda stub, limit: stub.SignMessage(request, timeout=limit)).signature

    def close(self) -> None:
        """Close the connection."""
        self._leave(self._connection)

    def _call(self, ask: Callable[[signer_pb2_grpc.SignerServiceStub, float], _Answer]) -> _Answer:
        """Ask; once more over a fresh connection where one broke: signing twice harms nobody.

        A signer that hands over to its successor is so never noticed.
        """
        connection = self._connected()
        try:
            return self._ask(connection, ask)
        except Fault as fault:
            if fault.code != SIGNER_UNAVAILABLE.code or not connection.left:
                raise
        return self._ask(self._connected(), ask)

    def _ask(
        self, connection: _Connection, ask: Callable[[signer_pb2_grpc.SignerServiceStub, float], _Answer]
    ) -> _Answer:
        try:
            return ask(connection.stub, self._deadline_seconds)
        except grpc.RpcError as error:
            fault = from_error(error, "signer")  # type: ignore[arg-type] # sync errors answer the same questions
            if fault.code not in _DOWN:
                raise fault from None
            if fault.code == PEER_UNAVAILABLE.code:  # not for one that is merely slow: others wait on it
                self._leave(connection)
            raise SIGNER_UNAVAILABLE(why=fault.code.lower().replace("_", " ")) from None
        except ValueError:  # another thread left this connection behind and closed it
            connection.left = True
            raise SIGNER_UNAVAILABLE(why="connection closed") from None

    def _connected(self) -> _Connection:
        with self._lock:
            if self._connection is None:
                check_socket(self._socket)
                self._connection = _Connection(self._socket)
            return self._connection

    def _leave(self, connection: _Connection | None) -> None:
        with self._lock:
            if connection is None:
                return
            connection.left = True
            if self._connection is connection:
                self._connection = None
                connection.channel.close()


class _Connection:
    def __init__(self, socket: Path) -> None:
        credentials = grpc.local_channel_credentials(grpc.LocalConnectionType.UDS)
        self.channel = grpc.secure_channel(f"unix:{socket}", credentials, _OPTIONS)
        self.stub = signer_pb2_grpc.SignerServiceStub(self.channel)
        self.left = False


class _RemoteKey:
    def __init__(
        self, signer: RemoteSigner, suite: Suite, key_id: str, wrapped_key: bytes, public_key: bytes
    ) -> None:
        self._signer, self._suite = signer, suite
        self._key_id, self._wrapped_key = key_id, wrapped_key
        self.public_key = public_key

    def sign(self, message: bytes) -> bytes:
        """Return the DER signature over the message, verified with the public key.

        Raises SIGNER_UNAVAILABLE, KEYSTORE_UNREADABLE, SIGNER_ANSWER_WRONG.
        """
        signature = self._signer.signature(self._suite.name, self._key_id, self._wrapped_key, message)
        if not self._suite.verify(self.public_key, signature, message):
            WRONG.inc()
            _log.error("signature_wrong", key_id=self._key_id)
            raise SIGNER_ANSWER_WRONG(key_id=self._key_id)
        return signature


def check_socket(socket: Path) -> None:
    """Return if the socket is our own user's in a directory closed to others. Raises SIGNER_UNAVAILABLE."""
    try:
        found, around = socket.stat(), socket.parent.stat()
    except OSError:
        raise SIGNER_UNAVAILABLE(why="no socket") from None
    ours = found.st_uid == around.st_uid == os.geteuid()
    if not stat.S_ISSOCK(found.st_mode) or not ours or (found.st_mode | around.st_mode) & 0o077:
        raise SIGNER_UNAVAILABLE(why="the socket is not closed to others")


def look(signer: RemoteSigner) -> None:
    """Set the gauge that says whether the signer could sign now."""
    try:
        signer.check()
    except Fault as fault:
        UP.set(0)
        _log.warning("signer_down", reason=fault.code, text=fault.en)
    else:
        UP.set(1)
