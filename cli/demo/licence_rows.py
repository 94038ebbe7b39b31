"""Rows of a stock register under the short names of GB/T 36903."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

from cli.demo.people import SyntheticBusiness, SyntheticPerson
from cli.departments import Office
from standards.identifiers import build_licence_identifier

IDENTITY_CARD, BUSINESS_LICENCE = "11100000000013127D001", "11100000MB0143028R001"
PROPERTY, HEALTH = "11100000MB03271699001", "11100000TB9000024N902"
TERM_YEARS = {IDENTITY_CARD: 20, HEALTH: 1}
_SCOPE = "餐饮服务;食品销售;小餐饮"


@dataclass(slots=True)
class Registrar:
    """Writes the rows of one county: knows its departments and numbers what it writes."""

    county: str
    offices: dict[str, Office]
    """By the word of the department: ``police``, ``market``, ``land``, ``health``."""
    rng: random.Random
    today: date
    written: int = 0

    def identity_card(self, person: SyntheticPerson) -> dict[str, str]:
        """Return the row of an identity card."""
        row = self._row("police", IDENTITY_CARD, "居民身份证", self.rng.randint(400, 3000))
        return (
            row
            | _held_by(person)
            | {
                "KZ_XM": person.name,
                "KZ_XB": person.sex,
                "KZ_CSRQ": person.born.isoformat(),
                "KZ_ZZ": person.address,
                "KZ_GMSFHM": person.id_number,
            }
        )

    def business_licence(self, business: SyntheticBusiness, operator: SyntheticPerson) -> dict[str, str]:
        """Return the row of a sole trader's business licence."""
        row = self._row("market", BUSINESS_LICENCE, "营业执照", self.rng.randint(100, 2500))
        return row | {
            "CZZT": business.name,
            "CZZTDM": business.uscc,
            "CZZTDMLX": "统一社会信用代码",
            "CZZTDMLXDM": "001",
            "KZ_MC": business.name,
            "KZ_TYSHXYDM": business.uscc,
            "KZ_LX": "个体工商户",
            "KZ_FDDBR": operator.name,
            "KZ_JYFW": _SCOPE,
            "KZ_CLRQ": row["ZZBFRQ"],
            "KZ_ZS": operator.address,
        }

    def property_certificate(self, owner: SyntheticPerson) -> dict[str, str]:
        """Return the row of a property certificate."""
        row = self._row("land", PROPERTY, "不动产权证", self.rng.randint(100, 2500))
        unit = f"{self.county}{self.rng.randint(0, 10**22 - 1):022d}"
        return (
            row
            | _held_by(owner)
            | {
                "KZ_BDCQZH": row["ZZBH"],
                "KZ_QLR": owner.name,
                "KZ_ZL": owner.address,
                "KZ_BDCDYH": unit,
                "KZ_YT": "住宅",
                "KZ_MJ": f"{self.rng.randint(4000, 18000) / 100:.2f}",
            }
        )

    def health_certificate(self, person: SyntheticPerson) -> dict[str, str]:
        """Return the row of a health certificate."""
        row = self._row("health", HEALTH, "从业人员健康证明", self.rng.randint(10, 200))
        return (
            row
            | _held_by(person)
            | {
                "KZ_XM": person.name,
                "KZ_TJLB": "食品从业人员",
                "KZ_TJRQ": row["ZZBFRQ"],
            }
        )

    def _row(self, office_word: str, type_code: str, name: str, days_ago: int) -> dict[str, str]:
        office = self.offices[office_word]
        self.written += 1
        issued = self.today - timedelta(days=days_ago)
        years = TERM_YEARS.get(type_code)
        drawn = self.rng.randrange(36**5)  # sets this register apart from one of another seed
        serial = f"{self.county}{issued:%Y}{drawn:05d}{self.written:06d}"
        return {
            "ZZMC": name,
            "ZZLXDM": type_code,
            "ZZBH": f"{self.county}{issued:%Y%m%d}{drawn % 10**4:04d}{self.written:06d}",
            "ZZBS": build_licence_identifier(type_code, office.uscc, serial),
            "ZZBFJG": office.name_zh,
            "ZZBFJGDM": office.uscc,
            "ZZBFRQ": issued.isoformat(),
            "ZZYXQQSRQ": issued.isoformat(),
            "ZZYXQJZRQ": _years_later(issued, years).isoformat() if years else "长期",
            "ZZZT": "有效",
        }


def _held_by(person: SyntheticPerson) -> dict[str, str]:
    return {
        "CZZT": person.name,
        "CZZTDM": person.id_number,
        "CZZTDMLX": "公民身份号码",
        "CZZTDMLXDM": "111",
    }


def _years_later(day: date, years: int) -> date:
    return date(day.year + years, day.month, min(day.day, 28))
