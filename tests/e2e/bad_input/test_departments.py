"""At the departments' gRPC doors: every detail of AIP-193, every wrong field, nothing changed."""

from __future__ import annotations

from datetime import datetime

import grpc
import pytest

from chassis.clock import system_clock
from chassis.fields import FieldCipher
from chassis.keyring import read_keyring
from chassis.rpc.faults import from_error
from services.certs.store.coded import USE_CODE
from tests.e2e.bad_input.bench import Bench
from tests.e2e.bad_input.calling import Bad, change, consume, fresh, licences, parts
from tests.e2e.bad_input.refusals import rejection
from tongban.certs.v1 import (
    licence_pb2,
    presentation_pb2,
    presentation_pb2_grpc,
    use_code_pb2,
    use_code_pb2_grpc,
)
from tongban.intake.v1 import part_pb2

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

INVALID, INVALID_REQUEST = "INVALID_ARGUMENT", "INVALID_REQUEST"
PARTS = (
    Bad(
        "a decision with nothing in it",
        lambda bench: parts(bench).DecidePart(part_pb2.DecidePartRequest(request_id=fresh())),
        INVALID,
        INVALID_REQUEST,
        {
            "part_id": "FIELD_REQUIRED",
            "etag": "FIELD_REQUIRED",
            "staff_id": "STAFF_UNKNOWN",
            "decision": "FIELD_REQUIRED",
        },
    ),
    Bad(
        "a rejection without reasons by nobody",
        lambda bench: change(
            bench, "DecidePart", etag="", staff_id="nobody", decision=part_pb2.DECISION_REJECT
        ),
        INVALID,
        INVALID_REQUEST,
        {"etag": "FIELD_REQUIRED", "staff_id": "STAFF_UNKNOWN", "opinion": "OPINION_REQUIRED"},
    ),
    Bad(
        "a refusal to accept without reasons by nobody",
        lambda bench: change(bench, "RefusePart", staff_id="nobody", competent_authority="x" * 3_000),
        INVALID,
        INVALID_REQUEST,
        {
            "staff_id": "STAFF_UNKNOWN",
            "reason": "FIELD_REQUIRED",
            "competent_authority": "FIELD_TOO_LONG",
        },
    ),
    Bad(
        "defects that say nothing",
        lambda bench: change(
            bench,
            "RequestSupplement",
            staff_id="nobody",
            defects=[part_pb2.Defect(), part_pb2.Defect(target="moon-rock", problem="x" * 3_000)],
        ),
        INVALID,
        INVALID_REQUEST,
        {
            "staff_id": "STAFF_UNKNOWN",
            "defects[0].target": "FIELD_REQUIRED",
            "defects[0].problem": "FIELD_REQUIRED",
            "defects[1].problem": "FIELD_TOO_LONG",
            "defects[1].target": "DEFECT_TARGET_UNKNOWN",
        },
    ),
    Bad(
        "no request id",
        lambda bench: change(bench, "AcceptPart", request_id=""),
        INVALID,
        INVALID_REQUEST,
        {"request_id": "FIELD_REQUIRED"},
    ),
    Bad(
        "texts that no database keeps",
        lambda bench: change(bench, "AcceptPart", request_id="tap", part_id="\0", etag="\0"),
        INVALID,
        INVALID_REQUEST,
        {"request_id": "FIELD_MALFORMED", "part_id": "FIELD_MALFORMED", "etag": "FIELD_MALFORMED"},
    ),
    Bad(
        "another department's part",
        lambda bench: parts(bench, bench.stranger).GetPart(
            part_pb2.GetPartRequest(part_id=bench.part.part_id)
        ),
        "NOT_FOUND",
        "PART_NOT_FOUND",
    ),
    Bad(
        "another department's part to be accepted",
        lambda bench: change(bench, "AcceptPart", bench.stranger),
        "NOT_FOUND",
        "PART_NOT_FOUND",
    ),
    Bad(
        "another department's file",
        lambda bench: parts(bench, bench.stranger).GetMaterialFile(
            part_pb2.GetMaterialFileRequest(part_id=bench.part.part_id, material_code="photo")
        ),
        "NOT_FOUND",
        "PART_NOT_FOUND",
    ),
    Bad(
        "a part that is none",
        lambda bench: parts(bench).GetPart(part_pb2.GetPartRequest(part_id="nothing")),
        "NOT_FOUND",
        "PART_NOT_FOUND",
    ),
    Bad(
        "a part as it was before",
        lambda bench: change(bench, "AcceptPart", etag='"99"'),
        "ABORTED",
        "ETAG_MISMATCH",
    ),
    Bad(
        "a decision before acceptance",
        lambda bench: change(bench, "DecidePart", decision=part_pb2.DECISION_APPROVE),
        "FAILED_PRECONDITION",
        "PART_STATE_WRONG",
    ),
    Bad(
        "a page of minus one after an unknown place in no state",
        lambda bench: parts(bench).ListParts(
            part_pb2.ListPartsRequest(page_size=-1, page_token="nowhere", states=[1, 99])
        ),
        INVALID,
        INVALID_REQUEST,
        {
            "page_size": "FIELD_MALFORMED",
            "page_token": "FIELD_MALFORMED",
            "states[1]": "FIELD_MALFORMED",
        },
    ),
    Bad(
        "changes before the first",
        lambda bench: parts(bench).ListPartChanges(
            part_pb2.ListPartChangesRequest(start_revision=-1, page_size=-1)
        ),
        INVALID,
        INVALID_REQUEST,
        {"start_revision": "FIELD_MALFORMED", "page_size": "FIELD_MALFORMED"},
    ),
    Bad(
        "changes after the last",
        lambda bench: parts(bench).WatchParts(part_pb2.WatchPartsRequest(start_revision=2**60), timeout=10),
        "FAILED_PRECONDITION",
        "REVISION_UNKNOWN",
    ),
)
REGISTRY = (
    Bad(
        "a use-code of another department",
        lambda bench: consume(bench, bench.stranger),
        "PERMISSION_DENIED",
        "USE_CODE_WRONG_CONSUMER",
    ),
    Bad(
        "a use-code that is none",
        lambda bench: consume(bench, use_code="guessed"),
        "NOT_FOUND",
        "USE_CODE_UNKNOWN",
    ),
    Bad(
        "a use-code for another item",
        lambda bench: consume(bench, item_code="1" * 31),
        "FAILED_PRECONDITION",
        "USE_CODE_WRONG_ITEM",
    ),
    Bad(
        "a use-code for another case",
        lambda bench: consume(bench, case_id=fresh()),
        "FAILED_PRECONDITION",
        "USE_CODE_WRONG_CASE",
    ),
    Bad(
        "a use-code for another purpose",
        lambda bench: consume(bench, use_cause="征信"),
        "FAILED_PRECONDITION",
        "USE_CODE_WRONG_PURPOSE",
    ),
    Bad(
        "no use-code, item or case, and a purpose without end",
        lambda bench: consume(bench, use_code="", item_code="", case_id="", use_cause="x" * 10_000),
        INVALID,
        INVALID_REQUEST,
        {
            "use_code": "FIELD_REQUIRED",
            "item_code": "FIELD_REQUIRED",
            "case_id": "FIELD_REQUIRED",
            "use_cause": "FIELD_TOO_LONG",
        },
    ),
    Bad(
        "a use-code that a department would issue itself",
        lambda bench: use_code_pb2_grpc.UseCodeServiceStub(bench.channel(bench.labour, "certs")).IssueUseCode(
            use_code_pb2.IssueUseCodeRequest(request_id=fresh())
        ),
        "PERMISSION_DENIED",
        "NOT_PERMITTED",
    ),
    Bad(
        "a search for nobody, for no purpose",
        lambda bench: licences(bench).FindLicences(licence_pb2.FindLicencesRequest()),
        INVALID,
        INVALID_REQUEST,
        {
            "purpose.use_cause": "PURPOSE_REQUIRED",
            "purpose.basis": "BASIS_REQUIRED",
            "holder_id_type_code": "HOLDER_ID_TYPE_UNKNOWN",
            "holder_id_number": "FIELD_REQUIRED",
        },
    ),
    Bad(
        "a licence of another issuer to be cancelled",
        lambda bench: licences(bench).ChangeLicenceStatus(
            licence_pb2.ChangeLicenceStatusRequest(
                request_id=fresh(),
                licence_id=bench.licence_id,
                etag='"1"',
                status=licence_pb2.LICENCE_STATUS_CANCELLED,
                reason="x",
                basis_document="x",
                operator="x",
            )
        ),
        "NOT_FOUND",
        "LICENCE_NOT_FOUND",
    ),
    Bad(
        "a presentation code that is none",
        lambda bench: presentation_pb2_grpc.PresentationServiceStub(
            bench.channel(bench.labour, "certs")
        ).VerifyPresentation(presentation_pb2.VerifyPresentationRequest(request_id=fresh(), code="guessed")),
        "NOT_FOUND",
        "PRESENTATION_UNKNOWN",
    ),
)


@pytest.mark.parametrize("bad", [*PARTS, *REGISTRY], ids=lambda bad: bad.what)
def test_it_is_refused_whole_and_nothing_is_kept(bench: Bench, bad: Bad):
    """The registry's record of who asked for what grows, as it must: only what was asked for is counted."""
    with bench.nothing_kept():
        rejection(lambda: bad.call(bench), bad.code, bad.reason, bad.fields)


def test_an_expired_use_code_is_refused_and_not_spent(bench: Bench):
    case = bench.part.case_id
    ends = bench.sql("certs", "select expires_at from use_code where case_id = $1", case)
    end(bench, system_clock())
    try:
        with bench.nothing_kept():
            rejection(lambda: consume(bench), "FAILED_PRECONDITION", "USE_CODE_EXPIRED")
    finally:
        end(bench, ends)


def end(bench: Bench, at: datetime) -> None:
    """Have the use-code end at a moment, as the registry itself would have written it."""
    case = bench.part.case_id
    bench.sql("certs", "update use_code set expires_at = $2 where case_id = $1", case, at)
    row = bench.sql("certs", "select u from use_code u where case_id = $1", case)
    keys = read_keyring(bench.reach.layout.secrets("certs") / "field_keys.json")
    code = USE_CODE.code(FieldCipher(keys, service="certs"), row)
    bench.sql("certs", "update use_code set mac = $2 where case_id = $1", case, code)


def test_a_request_id_with_other_content_is_refused(bench: Bench):
    """The change itself is harmless: a claim by whom the part is claimed by anyway."""
    claimed = fresh()
    clerk, other = bench.labour.staff[0][0], bench.labour.staff[1][0]
    first = change(bench, "ClaimPart", request_id=claimed, staff_id=clerk)
    bench.settle()
    with bench.nothing_kept():
        info = rejection(
            lambda: change(bench, "ClaimPart", request_id=claimed, staff_id=other),
            INVALID,
            "REQUEST_ID_REUSED",
        )
        assert info.metadata["request_id"] == claimed
        assert change(bench, "ClaimPart", request_id=claimed, staff_id=clerk) == first
    bench.part = first.part


def test_a_message_over_the_limit_is_named_as_that(bench: Bench):
    with bench.nothing_kept(), pytest.raises(grpc.RpcError) as met:
        parts(bench).GetPart(part_pb2.GetPartRequest(part_id="x" * 9_000_000))
    assert met.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert from_error(met.value, "intake").code == "BODY_TOO_LARGE"
