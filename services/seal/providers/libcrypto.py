"""The few functions of the system's libcrypto 3 that SM2 needs, by ctypes.

Every function's types are declared: the default int would cut pointers. Only a result of exactly 1 is success.
Signing and verifying release the GIL.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_size_t, c_ulong, c_void_p
from ctypes.util import find_library
from typing import Any

from chassis.errors import Kind, declare

CRYPTOGRAPHY_UNSOUND = declare(
    "SEAL_CRYPTOGRAPHY_UNSOUND",
    Kind.UNAVAILABLE,
    "密码模块自检未通过：{step}，签章与验章已停用",
    "The cryptography self-test failed at: {step}; sealing and verifying are off",
)
KEY_REFUSED = declare("SEAL_KEY_REFUSED", Kind.INVALID_ARGUMENT, "密钥无法使用", "The key cannot be used")
SIGNING_FAILED = declare("SEAL_SIGNING_FAILED", Kind.INTERNAL, "签名失败", "Signing failed")

_PTR = POINTER(c_void_p)
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "OpenSSL_version_num": (c_ulong, []),
    "ERR_clear_error": (None, []),
    "EVP_MD_fetch": (c_void_p, [c_void_p, c_char_p, c_char_p]),
    "EVP_MD_CTX_new": (c_void_p, []),
    "EVP_MD_CTX_free": (None, [c_void_p]),
    "EVP_MD_CTX_set_pkey_ctx": (None, [c_void_p, c_void_p]),
    "EVP_PKEY_CTX_new": (c_void_p, [c_void_p, c_void_p]),
    "EVP_PKEY_CTX_new_from_name": (c_void_p, [c_void_p, c_char_p, c_char_p]),
    "EVP_PKEY_CTX_free": (None, [c_void_p]),
    "EVP_PKEY_CTX_set1_id": (c_int, [c_void_p, c_char_p, c_size_t]),
    "EVP_PKEY_keygen_init": (c_int, [c_void_p]),
    "EVP_PKEY_generate": (c_int, [c_void_p, _PTR]),
    "EVP_PKEY_free": (None, [c_void_p]),
    "EVP_PKEY_is_a": (c_int, [c_void_p, c_char_p]),
    "EVP_DigestSignInit": (c_int, [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p]),
    "EVP_DigestSign": (c_int, [c_void_p, c_char_p, POINTER(c_size_t), c_char_p, c_size_t]),
    "EVP_DigestVerifyInit": (c_int, [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p]),
    "EVP_DigestVerify": (c_int, [c_void_p, c_char_p, c_size_t, c_char_p, c_size_t]),
    "EVP_Digest": (c_int, [c_char_p, c_size_t, c_char_p, c_void_p, c_void_p, c_void_p]),
    "EVP_PKEY2PKCS8": (c_void_p, [c_void_p]),
    "PKCS8_PRIV_KEY_INFO_free": (None, [c_void_p]),
    "i2d_PKCS8_PRIV_KEY_INFO": (c_int, [c_void_p, _PTR]),
    "d2i_PUBKEY": (c_void_p, [c_void_p, _PTR, c_long]),
    "i2d_PUBKEY": (c_int, [c_void_p, _PTR]),
    "d2i_AutoPrivateKey": (c_void_p, [c_void_p, _PTR, c_long]),
}


class KeyHandle:
    """An EVP_PKEY that frees itself."""

    def __init__(self, library: Library, pointer: int) -> None:
        self._library, self.pointer = library, pointer

    def __del__(self) -> None:
        self._library.call("EVP_PKEY_free", self.pointer)


class Library:
    """libcrypto 3 with its SM3 digest fetched.

    Raises:
        SEAL_CRYPTOGRAPHY_UNSOUND: There is no libcrypto ≥ 3.0, or it was built without SM3.
    """

    def __init__(self) -> None:
        self._lib = _load()
        for name, (restype, argtypes) in _FUNCTIONS.items():
            function = getattr(self._lib, name, None)
            if function is None:
                raise CRYPTOGRAPHY_UNSOUND(step=f"libcrypto has no {name}")
            function.restype, function.argtypes = restype, argtypes
        if self.version < 0x30000000:
            raise CRYPTOGRAPHY_UNSOUND(step="libcrypto is older than 3.0")
        self._sm3 = self._lib.EVP_MD_fetch(None, b"SM3", None)
        if not self._sm3:
            self._lib.ERR_clear_error()
            raise CRYPTOGRAPHY_UNSOUND(step="libcrypto has no SM3")

    @property
    def version(self) -> int:
        """OPENSSL_VERSION_NUMBER of the library loaded."""
        return int(self._lib.OpenSSL_version_num())

    def call(self, name: str, *arguments: Any) -> Any:
        """Call one declared function."""
        return getattr(self._lib, name)(*arguments)

    def digest(self, data: bytes) -> bytes:
        """Return SM3 of the data."""
        target = ctypes.create_string_buffer(32)
        if self._lib.EVP_Digest(data, len(data), target, None, self._sm3, None) != 1:
            self._lib.ERR_clear_error()
            raise SIGNING_FAILED()
        return target.raw

    def public_handle(self, public_key: bytes) -> KeyHandle | None:
        """Return the key of a DER SubjectPublicKeyInfo that uses the SM2 curve."""
        cursor = ctypes.cast(c_char_p(public_key), c_void_p)
        pointer = self._lib.d2i_PUBKEY(None, byref(cursor), len(public_key))
        return self._sm2_only(pointer)

    def private_handle(self, private_key: bytes | bytearray) -> KeyHandle | None:
        """Return the key of a DER private key; the working copy of the bytes is wiped."""
        buffer = (ctypes.c_char * len(private_key)).from_buffer_copy(private_key)
        try:
            cursor = ctypes.cast(buffer, c_void_p)
            pointer = self._lib.d2i_AutoPrivateKey(None, byref(cursor), len(private_key))
            return self._sm2_only(pointer)
        finally:
            ctypes.memset(buffer, 0, len(private_key))

    def _sm2_only(self, pointer: int | None) -> KeyHandle | None:
        if not pointer:
            self._lib.ERR_clear_error()
            return None
        handle = KeyHandle(self, pointer)
        return handle if self._lib.EVP_PKEY_is_a(pointer, b"SM2") == 1 else None

    def generate(self) -> KeyHandle:
        """Return a fresh SM2 key."""
        context = self._lib.EVP_PKEY_CTX_new_from_name(None, b"SM2", None)
        pointer = c_void_p()
        try:
            good = context and self._lib.EVP_PKEY_keygen_init(context) == 1
            if not good or self._lib.EVP_PKEY_generate(context, byref(pointer)) != 1 or not pointer.value:
                raise SIGNING_FAILED()
            return KeyHandle(self, pointer.value)
        finally:
            self._lib.EVP_PKEY_CTX_free(context)
            self._lib.ERR_clear_error()

    def public_der(self, key: KeyHandle) -> bytes:
        """Return the DER SubjectPublicKeyInfo."""
        return self._encoded("i2d_PUBKEY", key.pointer)

    def private_der(self, key: KeyHandle) -> bytes:
        """Return the DER PKCS#8 of a private key."""
        info = self._lib.EVP_PKEY2PKCS8(key.pointer)
        if not info:
            self._lib.ERR_clear_error()
            raise KEY_REFUSED()
        try:
            return self._encoded("i2d_PKCS8_PRIV_KEY_INFO", info)
        finally:
            self._lib.PKCS8_PRIV_KEY_INFO_free(info)

    def _encoded(self, function: str, pointer: int) -> bytes:
        size = self.call(function, pointer, None)
        if size <= 0:
            self._lib.ERR_clear_error()
            raise KEY_REFUSED()
        buffer = ctypes.create_string_buffer(size)
        try:
            cursor = ctypes.cast(buffer, c_void_p)
            self.call(function, pointer, byref(cursor))
            return buffer.raw
        finally:
            ctypes.memset(buffer, 0, size)

    def sign(self, key: KeyHandle, identity: bytes, message: bytes) -> bytes:
        """Return the DER SM2-with-SM3 signature over the message, with Z of `identity`."""
        size = c_size_t(160)
        target = ctypes.create_string_buffer(size.value)
        with _Operation(self._lib, key, identity) as context:
            good = context and self._lib.EVP_DigestSignInit(context, None, self._sm3, None, key.pointer) == 1
            good = good and self._lib.EVP_DigestSign(context, target, byref(size), message, len(message)) == 1
        if not good:
            raise SIGNING_FAILED()
        return target.raw[: size.value]

    def verify(self, key: KeyHandle, identity: bytes, signature: bytes, message: bytes) -> bool:
        """Return whether the signature holds: libcrypto said 1, nothing else counts."""
        with _Operation(self._lib, key, identity) as context:
            if not context:
                return False
            if self._lib.EVP_DigestVerifyInit(context, None, self._sm3, None, key.pointer) != 1:
                return False
            result = self._lib.EVP_DigestVerify(context, signature, len(signature), message, len(message))
            return bool(result == 1)


class _Operation:
    """An EVP_MD_CTX with the signer's ID set before its Init; both contexts freed, the error queue drained."""

    def __init__(self, library: Any, key: KeyHandle, identity: bytes) -> None:
        self._lib, self._key, self._identity = library, key, identity

    def __enter__(self) -> int | None:
        self._digest = self._lib.EVP_MD_CTX_new()
        self._context = self._lib.EVP_PKEY_CTX_new(self._key.pointer, None)
        if not self._digest or not self._context:
            return None
        if self._lib.EVP_PKEY_CTX_set1_id(self._context, self._identity, len(self._identity)) != 1:
            return None
        self._lib.EVP_MD_CTX_set_pkey_ctx(self._digest, self._context)
        return int(self._digest)

    def __exit__(self, *_: object) -> None:
        self._lib.EVP_MD_CTX_free(self._digest)
        self._lib.EVP_PKEY_CTX_free(self._context)
        self._lib.ERR_clear_error()


def _load() -> Any:
    for name in ("libcrypto.so.3", find_library("crypto")):
        if not name:
            continue
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise CRYPTOGRAPHY_UNSOUND(step="no libcrypto 3 on this system")
