from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from standards.masking import MaskRule, mask


@pytest.mark.parametrize(
    ("rule", "value", "shown"),
    [
        (MaskRule.NAME, "欧阳测试", "欧**"),
        (MaskRule.CITIZEN_ID, "11010519491231002X", "1" + "*" * 15 + "2X"),
        (MaskRule.MOBILE, "19900000000", "199****0000"),
        (MaskRule.LANDLINE, "079300000000", "0793******00"),
        (MaskRule.BANK_CARD, "6200000000000000001", "6200***********0001"),
        (MaskRule.ADDRESS, "江西省上饶市玉山县测试路 1 号", "江西省上饶市玉山" + "*" * 8),
        (MaskRule.EMAIL, "test@example.org", "t***@example.org"),
        (MaskRule.EMAIL, "no address", "*" * 10),
        (MaskRule.HIDDEN, "abc", "***"),
        (MaskRule.NONE, "食品经营", "食品经营"),
        (MaskRule.NAME, "", ""),
    ],
)
def test_each_rule_shows_what_it_keeps(rule, value, shown):
    assert mask(rule, value) == shown


@given(
    st.sampled_from([rule for rule in MaskRule if rule is not MaskRule.NONE]),
    st.text("0123456789", min_size=1),
)
def test_no_value_is_ever_shown_in_full(rule, value):
    assert mask(rule, value) != value
    assert "*" in mask(rule, value)
