"""The start-up known-answer tests of both suites' providers.

SM2: GB/T 32918.5-2017 annex A.2; SM3: GB/T 32905-2016 annex A; ECDSA on P-256 with SHA-256: RFC 6979 appendix A.2.5.

It fails closed: nothing is signed or verified by a library that does not give the published answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from services.seal.domain import der
from services.seal.domain.suite import public_key_prefix
from services.seal.providers.ecdsa import EcdsaSuite
from services.seal.providers.libcrypto import CRYPTOGRAPHY_UNSOUND
from services.seal.providers.sm2 import Sm2Suite

_D = "3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8"
_X = "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
_Y = "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
_R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
_S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA
_MESSAGE = b"message digest"
_SM3 = (
    (b"abc", "66C7F0F462EEEDD9D1F2D46BDC10E4E24167C4875CF2F7A2297DA02B8F4BA8E0"),
    (b"abcd" * 16, "DEBE9FF92275B8A138604889C18E5A4D6FDB70E5387E5765293DCBA39C0C5732"),
)


_P256_D = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"
_P256_X = "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
_P256_Y = "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"
_P256_R = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
_P256_S = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8
_SHA256_OF_ABC = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"


def self_test(suite: Sm2Suite) -> None:
    """Prove the provider against published answers, or refuse it.

    Raises:
        SEAL_CRYPTOGRAPHY_UNSOUND: Names the step that failed.
    """
    for step, good in _steps(suite):
        if not good:
            raise CRYPTOGRAPHY_UNSOUND(step=step)


def _steps(suite: Sm2Suite) -> Iterator[tuple[str, bool]]:
    for message, answer in _SM3:
        yield "SM3", suite.digest(message) == bytes.fromhex(answer)
    public_key = public_key_prefix(suite.curve_oid) + bytes.fromhex(_X + _Y)
    signature = der.sequence(der.write_integer(_R), der.write_integer(_S))
    yield "known signature", suite.verify(public_key, signature, _MESSAGE)
    yield "other message", not suite.verify(public_key, signature, b"message digesu")
    yield "empty identity", not suite.verify(public_key, signature, _MESSAGE, b"")
    yield "trailing byte", not suite.verify(public_key, signature + b"\x00", _MESSAGE)
    r_zero = der.sequence(der.write_integer(0), der.write_integer(_S))
    yield "r = 0", not suite.verify(public_key, r_zero, _MESSAGE)
    handle = suite.library.public_handle(public_key)
    yield "public key round trip", handle is not None and suite.library.public_der(handle) == public_key
    key = suite.open_key(_private_key(suite.curve_oid))
    yield "key pair", key.public_key == public_key
    first, second = key.sign(_MESSAGE), key.sign(_MESSAGE)
    yield "fresh nonce", first != second
    yield "own signature", suite.verify(public_key, first, _MESSAGE)
    yield "second implementation", _peer_agrees(first)


def self_test_ecdsa(suite: EcdsaSuite) -> None:
    """Prove the second suite likewise.

    Raises:
        SEAL_CRYPTOGRAPHY_UNSOUND: Names the step that failed.
    """
    for step, good in _ecdsa_steps(suite):
        if not good:
            raise CRYPTOGRAPHY_UNSOUND(step=f"ECDSA {step}")


def _ecdsa_steps(suite: EcdsaSuite) -> Iterator[tuple[str, bool]]:
    yield "SHA-256", suite.digest(b"abc") == bytes.fromhex(_SHA256_OF_ABC)
    public_key = public_key_prefix(suite.curve_oid) + bytes.fromhex(_P256_X + _P256_Y)
    signature = der.sequence(der.write_integer(_P256_R), der.write_integer(_P256_S))
    yield "known signature", suite.verify(public_key, signature, b"sample")
    yield "other message", not suite.verify(public_key, signature, b"samplf")
    yield "trailing byte", not suite.verify(public_key, signature + b"\x00", b"sample")
    r_zero = der.sequence(der.write_integer(0), der.write_integer(_P256_S))
    yield "r = 0", not suite.verify(public_key, r_zero, b"sample")
    key = suite.open_key(_private_key(suite.curve_oid, _P256_D, _P256_X + _P256_Y))
    yield "key pair", key.public_key == public_key
    first, second = key.sign(b"sample"), key.sign(b"sample")
    yield "fresh nonce", first != second
    yield "own signature", suite.verify(public_key, first, b"sample")


def _private_key(curve_oid: str, number: str = _D, point: str = _X + _Y) -> bytes:
    """Return a standard's sample key as SEC 1 ECPrivateKey."""
    return der.sequence(
        der.write_integer(1),
        der.write_octets(bytes.fromhex(number)),
        der.explicit(0, der.write_oid(curve_oid)),
        der.explicit(1, der.write_bits(b"\x04" + bytes.fromhex(point))),
    )


def _peer_agrees(signature: bytes) -> bool:
    """Return what gmssl_pyx says of the signature; where it is not installed there is no second opinion."""
    verify = _peer()
    return verify is None or verify(signature)


def _peer() -> Callable[[bytes], bool] | None:
    try:
        import gmssl_pyx  # noqa: PLC0415 - an optional second opinion
    except ImportError:
        return None
    peer: Any = gmssl_pyx

    def verify(signature: bytes) -> bool:
        return bool(peer.sm2_verify(bytes.fromhex(_X + _Y), _MESSAGE, signature))

    return verify
