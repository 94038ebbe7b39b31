"""Between the words of licence_life.proto and those of the domain."""

from __future__ import annotations

from collections.abc import Iterable

from chassis.rpc.moments import stamp
from services.certs.domain.disclosure import public_identifier
from services.certs.domain.holder import Holder
from services.certs.domain.life.inspection import Inspection, InspectionState
from services.certs.domain.life.order import Decision, LicenceOrder, OrderedAct, OrderState
from services.certs.rpc import messages
from services.certs.usecases.life.order_act import Related
from tongban.certs.v1 import licence_life_pb2 as pb

_ACT_NUMBERS = {act: pb.LicenceAct.Value(f"LICENCE_ACT_{act.name}") for act in OrderedAct}
_ACTS: dict[int, OrderedAct] = {number: act for act, number in _ACT_NUMBERS.items()}
_STATE_NUMBERS = {state: pb.OrderState.Value(f"ORDER_STATE_{state.name}") for state in OrderState}
_INSPECTION_NUMBERS = {
    state: pb.InspectionState.Value(f"INSPECTION_STATE_{state.name}") for state in InspectionState
}
_INSPECTIONS: dict[int, InspectionState] = {number: state for state, number in _INSPECTION_NUMBERS.items()}


def act(number: int) -> OrderedAct | None:
    """Return the act of an enum value, None for unspecified and unknown ones."""
    return _ACTS.get(number)


def inspection_state(number: int) -> InspectionState | None:
    """Return the state of an enum value, None for unspecified and unknown ones."""
    return _INSPECTIONS.get(number)


def decision(message: pb.Decision) -> Decision:
    """Return a decision as received."""
    return Decision(message.reason, message.basis_document, message.operator, message.second_person)


def holders(found: Iterable[pb.LicenceHolder]) -> tuple[Holder, ...]:
    """Return holders as received."""
    return tuple(Holder(each.id_type_code, each.id_number, each.name.strip()) for each in found)


def order(found: LicenceOrder) -> pb.LicenceOrder:
    """Return an order for its issuer."""
    said = found.decision
    return pb.LicenceOrder(
        order_id=found.order_id,
        licence_id=found.licence_id,
        act=_ACT_NUMBERS[found.act],
        decision=pb.Decision(
            reason=said.reason,
            basis_document=said.basis_document,
            operator=said.operator,
            second_person=said.second_person,
        ),
        effective_at=stamp(found.effective_at),
        ordered_at=stamp(found.ordered_at),
        state=_STATE_NUMBERS[found.state],
        settled_at=stamp(found.settled_at) if found.settled_at else None,
        cause=found.cause,
        result_licence_id=found.result_id,
    )


def inspection(found: Inspection) -> pb.Inspection:
    """Return an inspection for its issuer."""
    return pb.Inspection(
        licence_id=found.licence_id,
        cycle=found.cycle,
        due_date=found.due_date,
        state=_INSPECTION_NUMBERS[found.state],
        settled_at=stamp(found.settled_at) if found.settled_at else None,
    )


def related(found: Related) -> pb.RelatedLicence:
    """Return another row of the same licence."""
    licence, link = found.licence, found.link
    return pb.RelatedLicence(
        licence_id=licence.licence_id,
        identifier=public_identifier(licence),
        status=messages.status_number(licence.status),
        relation=_ACT_NUMBERS[OrderedAct(link.kind.value)],
        copy_number=link.copy_number,
        is_earlier=found.is_earlier,
    )
