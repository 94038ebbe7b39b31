"""A licence to try rules on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.certs.app import read_catalogue
from services.certs.domain.holder import Holder
from services.certs.domain.issuing import IssueData, make
from services.certs.domain.licence import Licence
from services.certs.domain.licence_type import LicenceType

NOW = datetime(2026, 3, 9, 2, tzinfo=UTC)
FOOD = "11100000MB0143028R901"
MARKET = "11361103TB1000011X"


@pytest.fixture(scope="session")
def types() -> dict[str, LicenceType]:
    return read_catalogue(Path(__file__).parents[3] / "catalogue")[0]


@pytest.fixture
def data() -> IssueData:
    return IssueData(
        case_id="case-1",
        part_id="part-1",
        item_code="item-1",
        type_code=FOOD,
        county_code="361103",
        issuer_code=MARKET,
        issuer_name="上饶市广丰区市场监督管理局",
        holder=Holder("111", "11010519491231002X", "丰小玉"),
        face={
            "KZ_JYZMC": "丰小玉餐饮店",
            "KZ_FDDBR": "丰小玉",
            "KZ_JYCS": "江西省上饶市广丰区永丰街道一号",
            "KZ_ZTYT": "餐饮服务经营者",
            "KZ_OTHER": "no such field",
        },
        validity_years=5,
        decided_at=NOW,
    )


@pytest.fixture
def licence(types: dict[str, LicenceType], data: IssueData) -> Licence:
    return make("0195d0f2-0000-7000-8000-000000000001", data, types[FOOD], 7)
