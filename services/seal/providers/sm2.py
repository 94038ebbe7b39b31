"""SM2 with SM3 (GB/T 32918, GB/T 32905) over the system's libcrypto."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from threading import Lock

from services.seal.domain.suite import (
    SM2_CURVE,
    SM2_ID,
    SM2_WITH_SM3,
    SM3,
    algorithm,
    public_key_prefix,
    signature_numbers,
)  # fmt: skip
from services.seal.providers.libcrypto import KEY_REFUSED, KeyHandle, Library

_KEYS_KEPT = 512  # decoding an SPKI costs half a verification


class Sm2Key:
    """A software SM2 key; the private number stays inside libcrypto."""

    def __init__(self, library: Library, handle: KeyHandle) -> None:
        self._library, self._handle = library, handle
        self.public_key = library.public_der(handle)

    def sign(self, message: bytes, identity: bytes = SM2_ID) -> bytes:
        """Return the DER signature over the message."""
        return self._library.sign(self._handle, identity, message)


class Sm2Suite:
    """Suite SM2-SM3."""

    name = "SM2-SM3"
    signature_oid = SM2_WITH_SM3
    digest_oid = SM3
    curve_oid = SM2_CURVE
    algorithm_der = algorithm(SM2_WITH_SM3)
    curve_order = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123

    def __init__(self, library: Library) -> None:
        self.library = library
        self._prefix = public_key_prefix(SM2_CURVE)
        self._keys: OrderedDict[bytes, KeyHandle] = OrderedDict()
        self._lock = Lock()

    def digest(self, data: bytes) -> bytes:
        """Return SM3 of the data."""
        return self.library.digest(data)

    def accepts_key(self, public_key: bytes) -> bool:
        """Return whether this is the uncompressed 91-byte form of a point on the curve."""
        return self._public(public_key) is not None

    def verify(self, public_key: bytes, signature: bytes, message: bytes, identity: bytes = SM2_ID) -> bool:
        """Return whether the signature holds; r and s are range-checked before libcrypto sees them."""
        if signature_numbers(signature, self.curve_order) is None:
            return False
        handle = self._public(public_key)
        return handle is not None and self.library.verify(handle, identity, signature, message)

    def open_key(self, private_key: bytes | bytearray) -> Sm2Key:
        """Return the signing key of a DER PKCS#8 or SEC 1 private key.

        Raises:
            SEAL_KEY_REFUSED: It is not an SM2 private key.
        """
        handle = self.library.private_handle(private_key)
        if handle is None:
            raise KEY_REFUSED()
        return Sm2Key(self.library, handle)

    def generate_key(self) -> bytes:
        """Return a fresh private key as DER PKCS#8."""
        return self.library.private_der(self.library.generate())

    def _public(self, public_key: bytes) -> KeyHandle | None:
        if len(public_key) != 91 or not public_key.startswith(self._prefix):
            return None
        name = hashlib.sha256(public_key).digest()
        with self._lock:
            handle = self._keys.get(name)
            if handle is not None:
                self._keys.move_to_end(name)
                return handle
        handle = self.library.public_handle(public_key)
        if handle is not None:
            with self._lock:
                self._keys[name] = handle
                if len(self._keys) > _KEYS_KEPT:
                    self._keys.popitem(last=False)
        return handle
