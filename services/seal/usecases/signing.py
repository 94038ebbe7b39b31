"""How the use of a private key may fail, whoever holds it; and a key that notices when it was wrapped anew."""

from __future__ import annotations

import time
from collections.abc import Callable

from chassis.errors import Fault, Kind, declare
from services.seal.domain.suite import SigningKey

SIGNER_UNAVAILABLE = declare(
    "SIGNER_UNAVAILABLE",
    Kind.UNAVAILABLE,
    "签名进程暂不可用（{why}），请稍后重试",
    "The signer is not available ({why}); try again in a moment",
)
SIGNER_ANSWER_WRONG = declare(
    "SIGNER_ANSWER_WRONG",
    Kind.INTERNAL,
    "密钥 {key_id} 的签名未通过核验，已作废",
    "What was signed with key {key_id} does not verify and was thrown away",
)
KEYSTORE_UNREADABLE = declare(
    "KEYSTORE_UNREADABLE",
    Kind.INTERNAL,
    "密钥 {key_id} 无法解密，密钥库口令或内容不符",
    "Key {key_id} cannot be read: wrong keystore secret, or moved or altered",
)
KEY_REWRAPPED = declare(
    "KEY_REWRAPPED",
    Kind.UNAVAILABLE,
    "密钥 {key_id} 刚刚换装，请重试",
    "Key {key_id} was encrypted anew a moment ago; try again",
)


_FRESH_SECONDS = 1.0
"""So long after it was read a key that does not open is a bad one; later it may have been rotated."""


class KeptKey:
    """A key that is kept ready: one that worked, or was read a while ago, and does not open was rotated meanwhile.

    ``forget`` is called then, so that the next use takes it as it is stored now.
    """

    def __init__(self, key_id: str, key: SigningKey, forget: Callable[[], None]) -> None:
        self._key_id, self._key, self._forget = key_id, key, forget
        self._read_at, self._worked = time.monotonic(), False
        self.public_key = key.public_key

    def sign(self, message: bytes) -> bytes:
        """Return the signature. Raises KEY_REWRAPPED, KEYSTORE_UNREADABLE, SIGNER_UNAVAILABLE, SIGNER_ANSWER_WRONG."""
        try:
            signature = self._key.sign(message)
        except Fault as fault:
            if fault.code != KEYSTORE_UNREADABLE.code:
                raise
            self._forget()
            if self._worked or time.monotonic() > self._read_at + _FRESH_SECONDS:
                raise KEY_REWRAPPED(key_id=self._key_id) from fault
            raise
        self._worked = True
        return signature
