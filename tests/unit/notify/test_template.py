"""Templates refuse what they do not know."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from services.notify.domain.template import Category, Channel, Template, placeholders

TEMPLATE = Template(
    "case_closed",
    1,
    Category.NOTICE,
    frozenset({"case_no", "title"}),
    {"zh": "办结通知"},
    {(Channel.SMS, "zh"): "您的办件 {case_no}（{title}）已办结。"},
)


def test_every_missing_and_every_unexpected_parameter_is_named_at_once():
    with pytest.raises(Fault) as refused:
        TEMPLATE.render(Channel.SMS, "zh", {"code": "1"})
    assert {v.field_path for v in refused.value.violations} == {
        "parameters.case_no",
        "parameters.title",
        "parameters.code",
    }


def test_an_unknown_language_falls_back_to_chinese():
    assert "已办结" in TEMPLATE.render(Channel.SMS, "fr", {"case_no": "1", "title": "店"})


def test_a_channel_without_a_text_is_refused():
    with pytest.raises(Fault) as refused:
        TEMPLATE.render(Channel.INBOX, "zh", {"case_no": "1", "title": "店"})
    assert refused.value.code == "TEMPLATE_CHANNEL"


@given(st.text(), st.text())
def test_a_value_is_inserted_as_it_is_and_never_read_as_a_template(case_no, title):
    text = TEMPLATE.render(Channel.SMS, "zh", {"case_no": case_no, "title": title})
    assert text == f"您的办件 {case_no}（{title}）已办结。"


@pytest.mark.parametrize("text", ["{a.b}", "{a!r}", "{a:>9}", "{0}", "{}"])
def test_only_plain_placeholders_are_allowed(text):
    with pytest.raises(ValueError, match="plain name"):
        placeholders(text)
