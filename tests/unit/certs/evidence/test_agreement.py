"""Sharing agreements are read whole or not at all; a law without its article is no basis."""

from __future__ import annotations

import pytest

from chassis.errors import Fault
from services.certs.domain.agreement import parse_agreements
from services.certs.domain.use_code import article_violations

ARTICLE = "《中华人民共和国食品安全法》第三十五条"
GOOD = {"consumer": "11361103TB1000011X", "legal_article": ARTICLE, "type_codes": ["x"]}


def test_an_agreement_covers_its_types_and_without_types_every_one():
    (agreed,) = parse_agreements({"agreements": [GOOD]}).values()
    assert (agreed.covers("x"), agreed.covers("y")) == (True, False)
    (every,) = parse_agreements({"agreements": [GOOD | {"type_codes": []}]}).values()
    assert every.covers("y")
    assert parse_agreements(None) == {}


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"agreements": None},
        {"agreements": ["x"]},
        {"agreements": [{"consumer": "x"}]},
        {"agreements": [GOOD | {"legal_article": "食品安全法"}]},
        {"agreements": [GOOD, GOOD]},
    ],
)
def test_a_wrong_one_is_refused(document):
    with pytest.raises(Fault) as refused:
        parse_agreements(document)
    assert refused.value.code == "AGREEMENTS_MALFORMED"


@pytest.mark.parametrize(
    ("article", "wrong"),
    [
        (ARTICLE, []),
        ("《税收征收管理法》第5条第二款", []),
        ("", ["FIELD_REQUIRED"]),
        ("《食品安全法》", ["LEGAL_ARTICLE_MALFORMED"]),
        ("第三十五条", ["LEGAL_ARTICLE_MALFORMED"]),
        ("《法》第一条" + "x" * 200, ["FIELD_TOO_LONG"]),
    ],
)
def test_an_article_names_the_law_and_the_article(article, wrong):
    assert [each.reason.code for each in article_violations(article)] == wrong
