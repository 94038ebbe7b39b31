"""Licences to seal as certs renders them: each of another holder, shop and address, so that no two fonts are alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from services.certs.app import read_catalogue
from services.certs.domain.holder import Holder
from services.certs.domain.issuing import IssueData, make
from services.certs.domain.licence import Licence
from services.certs.domain.ofd import SEAL_X_MM, SEAL_Y_MM, render
from services.seal.domain.sealing import Placement
from tests.load.servers import ROOT

FOOD = "11100000MB0143028R901"
SEAL_MM = 42.0
_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高梁郑谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈"
    "钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万"
)
_GIVEN = (
    "明伟丽娟秀英华慧巧美娜静淑惠珠翠雅芝玉萍红娥玲芬芳燕彩春菊勤珍贞莉兰凤洁梅琳素云莲真环雪荣爱妹霞香月莺媛"
    "艳瑞凡佳嘉琼桂娣璧璐娅琦晶妍茜秋珊莎锦黛青倩婷姣婉娴瑾颖露瑶怡婵雁蓓纨仪荷丹蓉眉君琴蕊薇菁梦岚苑筠柔竹霭"
)


class Licences:
    """Licences of one type, by number. Synthetic: the holder's ID number is an example of the identifier's standard."""

    place = Placement(1, SEAL_X_MM, SEAL_Y_MM, SEAL_MM, SEAL_MM)

    def __init__(self) -> None:
        self._kind = read_catalogue(ROOT / "catalogue")[0][FOOD]
        self._licence = self._made("丰小玉餐饮店")

    def build(self, number: int) -> bytes:
        """Return the package of licence `number` as the registry renders it: layout, font subset, XML, ZIP."""
        return render(self.licence(number), self._kind).ofd

    def licence(self, number: int) -> Licence:
        """Return licence `number`; some 1,600,000 pass before a name comes again."""
        surname = _SURNAMES[number % len(_SURNAMES)]
        first, second = (_GIVEN[number * step // 7 % len(_GIVEN)] for step in (7, 11))
        name = surname + first + second
        place = _GIVEN[number * 5 % len(_GIVEN)] + _GIVEN[number * 3 % len(_GIVEN)]
        face = {
            "KZ_JYZMC": f"{first}{second}{place[0]}餐饮店",
            "KZ_FDDBR": name,
            "KZ_JYCS": f"江西省上饶市广丰区永丰街道{place}路{number % 900}号",
            "KZ_ZTYT": "餐饮服务经营者",
        }
        return replace(
            self._licence,
            licence_id=f"0195d0f2-0000-7000-8000-{number:012d}",
            holders=(replace(self._licence.holders[0], name=name),),
            face=face,
        )

    def _made(self, shop: str) -> Licence:
        data = IssueData(
            case_id="case-1",
            part_id="part-1",
            item_code="item-1",
            type_code=FOOD,
            county_code="361103",
            issuer_code="11361103TB1000011X",
            issuer_name="上饶市广丰区市场监督管理局",
            holder=Holder("111", "11010519491231002X", "丰小玉"),
            face={"KZ_JYZMC": shop, "KZ_JYCS": "永丰街道一号", "KZ_ZTYT": "餐饮服务经营者"},
            validity_years=5,
            decided_at=datetime(2026, 11, 20, 3, tzinfo=UTC),
        )
        return make("0195d0f2-0000-7000-8000-000000000001", data, self._kind, 7)
