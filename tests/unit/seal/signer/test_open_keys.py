"""Opened keys stay for some seconds after their last use, under their own id and encryption only."""

from __future__ import annotations

from services.seal.signer.open_keys import MOST_KEPT, OpenKeys


class Key:
    public_key = b""

    def sign(self, message: bytes) -> bytes:
        return message


class Opening:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> Key:
        self.count += 1
        return Key()


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def test_a_key_is_opened_once_while_it_is_in_use_and_let_go_after() -> None:
    clock, opening = Clock(), Opening()
    keys = OpenKeys(kept_seconds=10, now=clock)
    for second in range(0, 30, 5):
        clock.at = second
        keys.take("s", "k", b"w", opening)
        keys.sweep()
    assert (opening.count, len(keys)) == (1, 1)
    clock.at += 10
    keys.sweep()
    assert len(keys) == 0
    keys.take("s", "k", b"w", opening)
    assert opening.count == 2


def test_another_id_suite_or_encryption_is_another_key() -> None:
    opening = Opening()
    keys = OpenKeys()
    for suite, key_id, wrapped in (("s", "k", b"w"), ("t", "k", b"w"), ("s", "l", b"w"), ("s", "k", b"x")):
        keys.take(suite, key_id, wrapped, opening)
    assert opening.count == 4


def test_few_are_kept_and_none_where_none_may_be() -> None:
    keys, none = OpenKeys(), OpenKeys(kept_seconds=0)
    for number in range(2 * MOST_KEPT):
        keys.take("s", str(number), b"w", Opening())
        none.take("s", str(number), b"w", Opening())
    assert (len(keys), len(none)) == (MOST_KEPT, 0)
    keys.clear()
    assert len(keys) == 0
