"""Tell every department once whose cases relied on a licence that fell, and take their answers."""

from __future__ import annotations

from datetime import datetime

from chassis.errors import FIELD_REQUIRED, refuse
from events.certs import RelianceFell
from services.certs.domain.licence import LICENCE_NOT_FOUND
from services.certs.domain.log import Leaf
from services.certs.domain.reliance import (
    RELIANCE_NOT_FOUND,
    Acknowledgement,
    Fall,
    Flag,
    acknowledge,
    acknowledgement_violations,
    flags_of,
)
from services.certs.usecases.ports import NewId, Registry
from services.certs.usecases.recourse_ports import DepartmentReliance, Place

FALLS_AT_ONCE = 20
PAIRS_AT_ONCE = 200
"""Departments and cases that one step tells of one fall."""
LEAF = "reliance"


async def recall_fallen(
    registry: Registry,
    new_id: NewId,
    now: datetime,
    *,
    falls_at_once: int = FALLS_AT_ONCE,
    pairs_at_once: int = PAIRS_AT_ONCE,
) -> bool:
    """Flag what relied on falls that wait, with one event for each flag; return whether more waits.

    All of it is one transaction. A fall with more departments and cases than one step takes goes on in
    the next; who has a flag of it gets no second one, however often a step is repeated.
    """
    falls = await registry.recourse.reliances.claim_falls(falls_at_once)
    unfinished = [await _recall(registry, fall, new_id, now, pairs_at_once) for fall in falls]
    return len(falls) == falls_at_once or any(unfinished)


async def _recall(registry: Registry, fall: Fall, new_id: NewId, now: datetime, limit: int) -> bool:
    reliances = registry.recourse.reliances
    flags = flags_of(fall, await reliances.relied_on(fall, limit), (), new_id, now)
    added = await reliances.add_flags(flags)
    fresh = [flag for flag in flags if flag.flag_id in added]
    for flag in fresh:
        registry.publish(_fell(flag), flag.version)
    await registry.log.append_many([_leaf(flag, "flag", now) for flag in fresh])
    if len(flags) == limit:
        return True
    await reliances.end_fall(fall, now)
    return False


async def list_fallen(
    registry: Registry, department: str, case_id: str, before: Place | None, limit: int, *, open_only: bool
) -> list[Flag]:
    """Return a department's flags, newest first."""
    reliances = registry.recourse.reliances
    return await reliances.flags_of(department, case_id, before, limit, open_only=open_only)


async def acknowledge_reliance(
    registry: Registry, department: str, flag_id: str, etag: str, answer: Acknowledgement
) -> Flag:
    """Store what a department did about one of its flags, and return the flag.

    Raises INVALID_REQUEST, RELIANCE_NOT_FOUND, ETAG_MISMATCH, RELIANCE_ANSWERED.
    """
    given = {"flag_id": flag_id, "etag": etag}
    missing = [FIELD_REQUIRED.at(name) for name, value in given.items() if not value]
    refuse([*missing, *acknowledgement_violations(answer)])
    flag = await registry.recourse.reliances.lock_flag(flag_id)
    if flag is None or flag.consumer_code != department:
        raise RELIANCE_NOT_FOUND()
    answered = acknowledge(flag, etag, answer)
    await registry.recourse.reliances.save_answer(answered)
    assert answer.outcome is not None
    await registry.log.append(_leaf(answered, answer.outcome.value, answer.acknowledged_at))
    return answered


async def count_reliances(registry: Registry, department: str, licence_id: str) -> list[DepartmentReliance]:
    """Return who relied on a licence that a department issued. Raises LICENCE_NOT_FOUND, INVALID_REQUEST."""
    refuse([] if licence_id else [FIELD_REQUIRED.at("licence_id")])
    licence = await registry.licences.get(licence_id)
    if licence is None or licence.issuer_code != department:
        raise LICENCE_NOT_FOUND()
    return await registry.recourse.reliances.counts(licence_id)


def _fell(flag: Flag) -> RelianceFell:
    return RelianceFell(
        flag_id=flag.flag_id,
        licence_id=flag.fall.licence_id,
        consumer_code=flag.consumer_code,
        case_id=flag.case_id,
        cause=flag.fall.cause,
        effective_at=flag.fall.effective_at,
        fell_at=flag.fall.fell_at,
    )


def _leaf(flag: Flag, act: str, at: datetime) -> Leaf:
    facts: dict[str, str | int] = {
        "act": act,
        "cause": flag.fall.cause.value,
        "consumer": flag.consumer_code,
        "fall_version": flag.fall.version,
        "flag_id": flag.flag_id,
        "version": flag.version,
    }
    return Leaf(LEAF, flag.fall.licence_id, at, facts)
