"""Between the words of licence_type.proto and those of the domain."""

from __future__ import annotations

import json
import re

from chassis.rpc.moments import stamp
from services.certs.domain.licence_type import Change, Effect, document_of
from services.certs.usecases.licence_types import Planned, PublishedType, Tally
from tongban.certs.v1 import licence_type_pb2 as pb

_EFFECTS = {effect: pb.ChangeEffect.Value(f"CHANGE_EFFECT_{effect.name}") for effect in Effect}
_TOKEN = re.compile(r"[0-9A-Z]{1,21}", re.ASCII)


def licence_type(published: PublishedType) -> pb.LicenceType:
    """Return a published version."""
    kind = published.kind
    return pb.LicenceType(
        type_code=kind.code,
        version=kind.version,
        name=kind.name,
        document_json=json.dumps(document_of(kind), ensure_ascii=False, sort_keys=True),
        published_at=stamp(published.published_at),
        published_by=published.published_by,
        source=published.source,
    )


def is_token(text: str) -> bool:
    """Say whether a text can be a page token: the code of a type."""
    return _TOKEN.fullmatch(text) is not None


def progress(tally: Tally) -> pb.ScanProgress:
    """Return how far a walk is."""
    return pb.ScanProgress(licences_read=tally.walked, licences_expected=max(tally.walked, tally.expected))


def report(tally: Tally, *, published: bool = False) -> pb.PublishReport:
    """Return what was published, or what a rehearsal found."""
    return pb.PublishReport(
        types=[_type_report(each, tally) for each in tally.planned],
        published=published,
        licences_read=tally.walked,
    )


def _type_report(planned: Planned, tally: Tally) -> pb.TypeReport:
    changes = [_change(planned, each, tally) for each in planned.changes]
    if any(each.reason for each in changes):
        outcome = pb.TYPE_OUTCOME_INCOMPATIBLE
    elif planned.base is None:
        outcome = pb.TYPE_OUTCOME_NEW_TYPE
    else:
        outcome = pb.TYPE_OUTCOME_NEW_VERSION if changes else pb.TYPE_OUTCOME_UNCHANGED
    return pb.TypeReport(
        type_code=planned.kind.code, outcome=outcome, version=planned.next_version, changes=changes
    )


def _change(planned: Planned, change: Change, tally: Tally) -> pb.TypeChange:
    stands = tally.violation(planned, change)
    return pb.TypeChange(
        field=change.path,
        effect=_EFFECTS[change.effect],
        licences=tally.broken.get((planned.kind.code, change.path), 0),
        reason=stands.reason.code if stands else "",
        zh=stands.zh if stands else "",
        en=stands.en if stands else "",
    )
