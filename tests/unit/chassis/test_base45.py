"""Base45: the examples of RFC 9285, and one text for each content."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.base45 import ALPHABET, decode, encode


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"AB", "BB8"),
        (b"Hello!!", "%69 VD92EX0"),
        (b"base-45", "UJCLQE7W581"),
        (b"ietf!", "QED8WEX0"),
        (b"", ""),
    ],
)
def test_the_examples_of_the_standard(content: bytes, text: str) -> None:
    assert encode(content) == text
    assert decode(text) == content


@given(st.binary(max_size=300))
def test_bytes_come_back(content: bytes) -> None:
    assert decode(encode(content)) == content


@given(st.text(alphabet=ALPHABET + "aé_", max_size=30))
def test_every_content_has_one_text_and_other_texts_are_refused(text: str) -> None:
    try:
        content = decode(text)
    except ValueError:
        return
    assert encode(content) == text


@pytest.mark.parametrize("text", ["GGW", "::::", "A", "AAAA", "ab8", ":::"])
def test_what_no_bytes_encode_to_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Base45|unpack"):
        decode(text)
