"""Keys guarded by a PKCS#11 token.

ECDSA keys are made in the token, never leave it and are used there (CKM_ECDSA over the SHA-256 of the message). SM2
keys cannot be used by it: CKM_ECDSA on the SM2 curve would not be an SM2 signature, so no such key is ever made
there. They are encrypted by an AES-256 key of the token that cannot be read out, and opened here while they sign.

A wrapped key is ``02 | id of the token's key (8) | nonce (12) | ciphertext and tag``, or ``03 | id in the token
(16)`` for one that stays there under its key id as its label; keys of the software keystore (``01``) are opened where its secret is given, until they are
re-encrypted.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import PKCS11Error
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters

from chassis.errors import Fault
from services.seal.domain import der
from services.seal.domain.suite import P256_CURVE, SigningKey, Suites
from services.seal.keystore import SoftwareKeystore
from services.seal.signer.open_keys import OpenKeys
from services.seal.signer.token_sessions import Session, TokenSessions
from services.seal.signer.vault import suite_of
from services.seal.usecases.ports import NewKey
from services.seal.usecases.signing import KEYSTORE_UNREADABLE, SIGNER_UNAVAILABLE

_SOFTWARE, _WRAPPED, _IN_TOKEN = b"\x01", b"\x02", b"\x03"
_KEK_LABEL = "tongban seal kek"
_ID_BYTES, _TOKEN_ID_BYTES, _NONCE_BYTES, _TAG_BITS = 8, 16, 12, 128
_PROBE = b"probe of the token"
_Result = TypeVar("_Result")


class TokenVault:
    """Implements the port Vault; ``former`` opens keys from before the token."""

    kind = "pkcs11"

    def __init__(
        self,
        suites: Suites,
        sessions: TokenSessions,
        *,
        former: SoftwareKeystore | None = None,
        opened: OpenKeys | None = None,
    ) -> None:
        self._suites, self._sessions, self._former = suites, sessions, former
        self._opened = OpenKeys() if opened is None else opened

    def generate(self, suite: str, key_id: str, *, lasting: bool = True) -> NewKey:
        """Return a fresh key pair: in the token for ECDSA, encrypted by the token for SM2."""
        chosen = suite_of(self._suites, suite)
        if chosen.curve_oid == P256_CURVE:
            return self._run(key_id, lambda session: _new_pair(session, key_id, lasting=lasting))
        private_key = chosen.generate_key()
        public_key = chosen.open_key(private_key).public_key
        return NewKey(public_key, self._run(key_id, lambda session: _wrap(session, key_id, private_key)))

    def sign(self, suite: str, key_id: str, wrapped_key: bytes, message: bytes) -> bytes:
        """Return the signature. Raises KEYSTORE_UNREADABLE, SEAL_KEY_REFUSED for a key of another suite."""
        chosen = suite_of(self._suites, suite)
        if wrapped_key[:1] == _IN_TOKEN:
            if chosen.curve_oid != P256_CURVE:
                raise KEYSTORE_UNREADABLE(key_id=key_id)
            digest = hashlib.sha256(message).digest()
            return self._run(key_id, lambda session: _sign(session, key_id, wrapped_key, digest))

        def open_key() -> SigningKey:
            with self._private_key(key_id, wrapped_key) as private_key:
                return chosen.open_key(private_key)

        return self._opened.take(suite, key_id, wrapped_key, open_key).sign(message)

    def is_newest(self, key_id: str, wrapped_key: bytes) -> bool:
        """Say whether a key is under the token's newest key and opens, or is in the token."""
        if wrapped_key[:1] == _IN_TOKEN:
            return self._holds(key_id, wrapped_key)
        newest = self._run(key_id, lambda session: _kek_ids(session)[-1])
        if wrapped_key[: 1 + _ID_BYTES] != _WRAPPED + newest:
            return False
        with contextlib.suppress(Fault), self._private_key(key_id, wrapped_key):
            return True
        return False

    def rewrap(self, key_id: str, wrapped_key: bytes) -> bytes:
        """Return the key under the token's newest key, unchanged where it is. Raises KEYSTORE_UNREADABLE."""
        if self.is_newest(key_id, wrapped_key):
            return wrapped_key
        with self._private_key(key_id, wrapped_key) as private_key:
            return self._run(key_id, lambda session: _wrap(session, key_id, bytes(private_key)))

    def _holds(self, key_id: str, wrapped_key: bytes) -> bool:
        def look(session: Session) -> bool:
            _found(session, KeyType.EC, wrapped_key[1:], key_id)
            return True

        with contextlib.suppress(Fault):
            return self._run(key_id, look)
        return False

    def check(self) -> None:
        """Return if the token answers. Raises SIGNER_UNAVAILABLE."""
        with self._sessions.session() as session:
            if not self._answers(session):
                raise SIGNER_UNAVAILABLE(why="token")

    def sweep(self) -> None:
        """Let go of keys that nobody used for some seconds."""
        self._opened.sweep()

    def add_kek(self) -> None:
        """Have a fresh key-encryption key in the token; it encrypts from now on, those before still open."""
        self._run("", _new_kek)

    def drop_keks(self) -> int:
        """Have only the newest key-encryption key left; return how many went.

        The caller has counted that nothing needs another: what they encrypted is lost.
        """
        return self._run("", _drop_old_keks)

    @contextlib.contextmanager
    def _private_key(self, key_id: str, wrapped_key: bytes) -> Iterator[bytearray]:
        if wrapped_key[:1] == _SOFTWARE and self._former is not None:
            with self._former.opened(key_id, wrapped_key) as private_key:
                yield private_key
            return
        if wrapped_key[:1] != _WRAPPED:
            raise KEYSTORE_UNREADABLE(key_id=key_id)
        found = bytearray(self._run(key_id, lambda session: _unwrap(session, key_id, wrapped_key)))
        try:
            yield found
        finally:
            found[:] = bytes(len(found))

    def _run(self, key_id: str, work: Callable[[Session], _Result]) -> _Result:
        """Do it in a session; what fails while the token answers is the key's fault, else the token was lost."""
        with self._sessions.session() as session:
            try:
                return work(session)
            except PKCS11Error:
                known = bool(session.keys)
                session.keys.clear()
                if not self._answers(session):
                    raise SIGNER_UNAVAILABLE(why="token lost") from None
            try:  # what the session knew of the token's keys may be of before a change by another process
                if known:
                    return work(session)
            except PKCS11Error:
                session.keys.clear()
            raise KEYSTORE_UNREADABLE(key_id=key_id)

    def _answers(self, session: Session) -> bool:
        try:
            _wrap(session, "probe", _PROBE)
        except (PKCS11Error, Fault):
            self._sessions.lose()
            return False
        return True


def _new_pair(session: Session, key_id: str, *, lasting: bool) -> NewKey:
    parameters = session.opened.create_domain_parameters(
        KeyType.EC, {Attribute.EC_PARAMS: encode_named_curve_parameters(P256_CURVE)}, local=True
    )
    token_id = os.urandom(
        _TOKEN_ID_BYTES
    )  # its own: a call that is repeated makes another key, never a second such
    public, _private = parameters.generate_keypair(
        store=lasting,
        id=token_id,
        label=key_id,
        private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.SIGN: True},
    )
    return NewKey(bytes(encode_ec_public_key(public)), _IN_TOKEN + token_id)


def _sign(session: Session, key_id: str, wrapped_key: bytes, digest: bytes) -> bytes:
    key = _found(session, KeyType.EC, wrapped_key[1:], key_id)
    raw: bytes = key.sign(digest, mechanism=Mechanism.ECDSA)
    half = len(raw) // 2
    return der.sequence(*(der.write_integer(int.from_bytes(part)) for part in (raw[:half], raw[half:])))


def _wrap(session: Session, key_id: str, private_key: bytes) -> bytes:
    kek_id, nonce = _kek_ids(session)[-1], os.urandom(_NONCE_BYTES)
    kek = _found(session, KeyType.AES, kek_id, _KEK_LABEL)
    head = _WRAPPED + kek_id
    parameters = GCMParams(nonce, head + key_id.encode(), _TAG_BITS)
    body: bytes = kek.encrypt(private_key, mechanism=Mechanism.AES_GCM, mechanism_param=parameters)
    return head + nonce + body


def _unwrap(session: Session, key_id: str, wrapped_key: bytes) -> bytes:
    head, rest = wrapped_key[: 1 + _ID_BYTES], wrapped_key[1 + _ID_BYTES :]
    kek = _found(session, KeyType.AES, head[1:], _KEK_LABEL)
    parameters = GCMParams(rest[:_NONCE_BYTES], head + key_id.encode(), _TAG_BITS)
    private_key: bytes = kek.decrypt(
        rest[_NONCE_BYTES:], mechanism=Mechanism.AES_GCM, mechanism_param=parameters
    )
    return private_key


def _found(session: Session, key_type: KeyType, token_id: bytes, label: str) -> Any:
    kind = ObjectClass.PRIVATE_KEY if key_type is KeyType.EC else ObjectClass.SECRET_KEY
    name = (token_id, label)
    if name not in session.keys:
        session.keys[name] = session.opened.get_key(
            object_class=kind, key_type=key_type, label=label, id=token_id
        )
    return session.keys[name]


def _kek_ids(session: Session) -> list[bytes]:
    """Return the ids of the token's key-encryption keys, the newest last; the first is made when there is none."""
    wanted = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.LABEL: _KEK_LABEL}
    found = sorted(key.id for key in session.opened.get_objects(wanted))
    return found or [_new_kek(session)]


def _new_kek(session: Session) -> bytes:
    kek_id = time.time_ns().to_bytes(_ID_BYTES)
    session.opened.generate_key(
        KeyType.AES,
        256,
        store=True,
        id=kek_id,
        label=_KEK_LABEL,
        template={
            Attribute.SENSITIVE: True,
            Attribute.EXTRACTABLE: False,
            Attribute.ENCRYPT: True,
            Attribute.DECRYPT: True,
        },
    )
    return kek_id


def _drop_old_keks(session: Session) -> int:
    old = _kek_ids(session)[:-1]
    for kek_id in old:
        session.opened.get_key(object_class=ObjectClass.SECRET_KEY, key_type=KeyType.AES, id=kek_id).destroy()
    session.keys.clear()
    return len(old)
