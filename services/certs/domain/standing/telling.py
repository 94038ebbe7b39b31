"""Tell a standing from a licence's history and the freezes of its disputes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from services.certs.domain.dispute import DisputeAct, Step, frozen_at
from services.certs.domain.life.history import Line, line_at, status_as_of, term_over_at
from services.certs.domain.standing.answer import Standing, StandingAct
from services.certs.domain.standing.asking import Moments
from services.certs.domain.status import LicenceStatus

CLAUSES = {
    "seal": "《中华人民共和国行政许可法》第三十九条",
    "suspend": "《中华人民共和国行政处罚法》第九条",
    "expire": "《中华人民共和国行政许可法》第五十条",
    "replace": "《中华人民共和国行政许可法》第四十九条、第五十条",
    "cancel": "《中华人民共和国行政许可法》第七十条",
    "revoke": "《中华人民共和国行政许可法》第六十九条",
    "forfeit": "《中华人民共和国行政处罚法》第九条",
    "freeze": "《中华人民共和国个人信息保护法》第四十六条",
    "unfreeze": "《中华人民共和国个人信息保护法》第四十六条",
}
"""The clause that an act rests on; the others follow from the decision that they name."""
_ENDS = frozenset({DisputeAct.UNFREEZE, DisputeAct.REJECT, DisputeAct.WITHDRAW})


def tell(
    licence_id: str,
    lines: Sequence[Line],
    valid_until: date | None,
    freezes: Iterable[Sequence[Step]],
    moments: Moments,
) -> Standing:
    """Return where a licence stood at a moment, by what was known at another."""
    at, known_at = moments.at, moments.known_at
    status = status_as_of(lines, valid_until, at, known_at)
    resting = line_at(lines, at, known_at)
    act = _act(resting) if resting else None
    over = resting is not None and status is LicenceStatus.EXPIRED and resting.status is not status
    if over and valid_until is not None:
        ended = term_over_at(valid_until)
        act = StandingAct(
            "expire", status, ended, ended, "有效期届满", f"有效期至 {valid_until}", CLAUSES["expire"], 0
        )
    disputes, seen = [list(each) for each in freezes], min(at, known_at)
    known = [_act(line) for line in lines if _counted(line, moments)]
    history = sorted(
        [*known, *_freezes(disputes, moments)], key=lambda each: (each.effective_at, each.version)
    )
    frozen = any(frozen_at(steps, seen) for steps in disputes)
    return Standing(licence_id, moments, status, act, frozen, tuple(history))


def _counted(line: Line, moments: Moments) -> bool:
    void = line.void_at is not None and line.void_at <= moments.known_at
    return line.recorded_at <= moments.known_at and line.effective_at <= moments.at and not void


def _act(line: Line) -> StandingAct:
    return StandingAct(
        line.act,
        line.status,
        line.effective_at,
        line.recorded_at,
        line.reason,
        line.basis_document,
        CLAUSES.get(line.act, ""),
        line.version,
    )


def _freezes(disputes: Iterable[Sequence[Step]], moments: Moments) -> list[StandingAct]:
    found: list[StandingAct] = []
    for steps in disputes:
        frozen = False
        for step in steps:
            begins, ends = step.act is DisputeAct.FREEZE, frozen and step.act in _ENDS
            frozen = begins or (frozen and not ends)
            if (begins or ends) and step.at <= min(moments.at, moments.known_at):
                name = "freeze" if begins else "unfreeze"
                said = step.grounds
                found.append(
                    StandingAct(
                        name,
                        None,
                        step.at,
                        step.at,
                        said.reason,
                        said.legal_basis,
                        CLAUSES[name],
                        step.version,
                    )
                )
    return found
