"""A good row, and the source it comes from."""

from __future__ import annotations

from services.certs.domain.importing.source import own_source
from standards.identifiers import build_licence_identifier
from tests.unit.certs.conftest import FOOD, MARKET

GOOD = {
    "ZZMC": "食品经营许可证",
    "ZZLXDM": FOOD,
    "ZZBH": "JY1",
    "ZZBS": build_licence_identifier(FOOD, MARKET, "2026000001"),
    "ZZBFJG": "上饶市广丰区市场监督管理局",
    "ZZBFJGDM": MARKET,
    "ZZBFRQ": "2024-03-05",
    "CZZT": "丰小玉",
    "CZZTDM": "11010519491231002X",
    "CZZTDMLXDM": "111",
    "KZ_JYZMC": "丰小玉餐饮店",
    "KZ_TYSHXYDM": "92361103MA0000000A",
    "KZ_JYCS": "永丰街道一号",
    "KZ_ZTYT": "餐饮服务经营者",
    "KZ_JYXM": "热食类食品制售",
}

OWN = own_source(MARKET, "361103", "上饶市广丰区市场监督管理局", keeps_county=True)
