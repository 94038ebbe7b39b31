"""SM2 signing in plain integers, straight from GB/T 32918.2: a second implementation of our own. Not a test module."""

from __future__ import annotations

import hashlib

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
Point = tuple[int, int] | None


def add(one: Point, other: Point) -> Point:
    """Return the sum of two points; None is the point at infinity."""
    if one is None or other is None:
        return one or other
    if one[0] == other[0] and (one[1] + other[1]) % P == 0:
        return None
    if one == other:
        slope = (3 * one[0] ** 2 + A) * pow(2 * one[1], -1, P)
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, P)
    x = (slope**2 - one[0] - other[0]) % P
    return x, (slope * (one[0] - x) - one[1]) % P


def times(number: int, point: Point) -> Point:
    total: Point = None
    while number:
        total = add(total, point) if number & 1 else total
        point, number = add(point, point), number >> 1
    return total


def sm3(data: bytes) -> bytes:
    return hashlib.new("sm3", data).digest()


def identity_digest(identity: bytes, public_key: Point) -> bytes:
    """Return Z."""
    assert public_key is not None
    numbers = b"".join(each.to_bytes(32, "big") for each in (A, B, *G, *public_key))
    return sm3((8 * len(identity)).to_bytes(2, "big") + identity + numbers)


def message_number(z: bytes, message: bytes) -> int:
    """Return e."""
    return int.from_bytes(sm3(z + message), "big")


def signed(d: int, k: int, e: int) -> tuple[Point, int, int]:
    """Return k·G and the signature (r, s) with private key d and nonce k."""
    point = times(k, G)
    assert point is not None
    r = (e + point[0]) % N
    return point, r, pow(1 + d, -1, N) * (k - r * d) % N


def verifies(public_key: Point, r: int, s: int, e: int) -> bool:
    if not (0 < r < N and 0 < s < N) or (r + s) % N == 0:
        return False
    point = add(times(s, G), times((r + s) % N, public_key))
    return point is not None and (e + point[0]) % N == r
