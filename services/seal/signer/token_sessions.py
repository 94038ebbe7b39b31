"""Sessions with a PKCS#11 token: logged in once, kept in a pool, made anew when the token was lost.

Operations run at the same time, each in a session of its own. When one finds the token gone, no other is begun
before all have ended and the library was started again: a library is never ended under a running call.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from threading import Condition
from typing import Any

import pkcs11
from pkcs11.exceptions import PKCS11Error

from chassis.errors import Fault
from chassis.logs import get_logger
from services.seal.usecases.signing import SIGNER_UNAVAILABLE

_OS_LOCKING_OK = 2
_SPARED = pkcs11.TokenFlag.USER_PIN_FINAL_TRY | pkcs11.TokenFlag.USER_PIN_LOCKED
"""The last try is a person's: a process that starts again and again would lock the token."""
_log = get_logger(__name__)


class Session:
    """One session and the keys it found."""

    def __init__(self, opened: Any) -> None:
        self.opened = opened
        self.keys: dict[tuple[bytes, str], Any] = {}


class TokenSessions:
    """The sessions with one token of one library."""

    def __init__(self, module: str, token_label: str, pin: str) -> None:
        self._module, self._label, self._pin = module, token_label, pin
        self._free: list[Session] = []
        self._login: Any = None
        self._working = 0
        self._broken = False
        self._turn = Condition()

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """Give a session that nobody else uses meanwhile.

        Raises SIGNER_UNAVAILABLE when the token is not there. Faults of operations pass; see `lose`.
        """
        session = self._taken()
        good = False
        try:
            yield session
            good = True
        finally:
            with self._turn:
                self._working -= 1
                if good and not self._broken:
                    self._free.append(session)
                self._turn.notify_all()

    def lose(self) -> None:
        """Have the library started again before the next operation: the token did not answer."""
        with self._turn:
            self._broken = True

    def close(self) -> None:
        """End all sessions once nothing runs any more."""
        with self._turn:
            self._turn.wait_for(lambda: not self._working)
            self._drop()

    def _taken(self) -> Session:
        with self._turn:
            if self._broken:
                self._turn.wait_for(lambda: not self._working)
            if self._broken or self._login is None:
                self._connect()
            try:
                session = self._free.pop() if self._free else Session(self._token().open(rw=True))
            except PKCS11Error as problem:
                self._broken = True
                raise _gone(problem) from None
            self._working += 1
            return session

    def _connect(self) -> None:
        """Log in afresh; the turn is ours and nothing runs."""
        self._drop()
        try:
            library = pkcs11.lib(self._module)
            _start_again(self._module)
            token = library.get_token(token_label=self._label)
            if token.flags & _SPARED:
                raise _gone(RuntimeError("PIN locked or one wrong try from it"))
            self._login = token.open(rw=True, user_pin=self._pin)  # kept open: closing it would log out
        except (PKCS11Error, RuntimeError, OSError) as problem:
            self._broken = True
            raise _gone(problem) from None
        self._broken = False
        _log.info("token_opened", label=self._label)

    def _token(self) -> Any:
        return self._login.token

    def _drop(self) -> None:
        self._free.clear()
        self._login = None


def _start_again(module: str) -> None:
    """Start the library anew with its own locks: by default a PKCS#11 library may count on a single thread."""
    loaded = ctypes.CDLL(module)
    loaded.C_Finalize(None)
    status = loaded.C_Initialize(ctypes.byref(_Arguments(flags=_OS_LOCKING_OK)))
    if status:
        message = f"C_Initialize answered {status:#x}"
        raise RuntimeError(message)


class _Arguments(ctypes.Structure):
    """CK_C_INITIALIZE_ARGS: no callbacks of ours, the system's locks."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("create", "destroy", "lock", "unlock")),
        ("flags", ctypes.c_ulong),
        ("reserved", ctypes.c_void_p),
    )


def _gone(problem: Exception) -> Fault:
    cause = str(problem) or type(problem).__name__
    _log.warning("token_gone", cause=cause)
    return SIGNER_UNAVAILABLE(why=f"token: {cause}")
