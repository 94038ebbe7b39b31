"""The response statuses of the sharing interface: reasons of ours to the numbers that its callers know.

GB/T 36906 fixes no numbers that could be verified; these are the ones of a provincial gateway, kept in
one table because other partners have others.
"""

from __future__ import annotations

from chassis.errors import Fault, Kind
from services.certs.domain.status import LicenceStatus

OK, NOT_OFFERED, NOT_FOUND, NOT_AUTHENTICATED, PARAMETER_EMPTY = 0, 2, 10, 11, 12
TYPE_UNPUBLISHED, ENDED, EXPIRED, RESTRICTED = 13, 21, 22, 23
TYPE_NOT_PERMITTED, SYSTEM_ERROR, BAD_VALUE, BAD_HOLDER_TYPE = 100, 101, 102, 103
NO_NUMBER, NO_HOLDER_CODE, NO_HOLDER, BAD_TYPE_CODE = 109, 110, 111, 113
NO_TEMPLATE = 105

OF_STATUS = {
    LicenceStatus.VALID: OK,
    LicenceStatus.SUSPENDED: RESTRICTED,
    LicenceStatus.EXPIRED: EXPIRED,
    LicenceStatus.REPLACED: ENDED,
    LicenceStatus.CANCELLED: ENDED,
    LicenceStatus.REVOKED: ENDED,
    LicenceStatus.FORFEITED: ENDED,
}
"""How a licence stands; what is not in force yet is not offered."""
OF_REASON = {
    "LICENCE_NOT_FOUND": NOT_FOUND,
    "COPY_NOT_FOUND": NOT_FOUND,
    "PRESENTATION_UNKNOWN": NOT_FOUND,
    "PRESENTATION_MALFORMED": BAD_VALUE,
    "SIGNATURE_WRONG": BAD_VALUE,
    "OFFLINE_STATEMENT_EXPIRED": EXPIRED,
    "NOT_AUTHENTICATED": NOT_AUTHENTICATED,
    "NOT_PERMITTED": NOT_AUTHENTICATED,
    "CALLER_SUSPENDED": NOT_AUTHENTICATED,
    "LICENCE_TYPE_NOT_SHOWN": TYPE_UNPUBLISHED,
    "LICENCE_TYPE_VERSION_NOT_FOUND": TYPE_UNPUBLISHED,
    "LICENCE_TYPE_UNKNOWN": BAD_TYPE_CODE,
    "TYPE_NOT_AGREED": TYPE_NOT_PERMITTED,
    "HOLDER_HAS_TOO_MANY": BAD_VALUE,
    "FACE_TOO_LONG": NO_TEMPLATE,
    "COPY_OUTDATED": RESTRICTED,
    "LICENCE_IN_DISPUTE": RESTRICTED,
    "ENTRUSTMENT_EXPIRED": EXPIRED,
    "ENTRUSTMENT_REVOKED": ENDED,
    "ENTRUSTMENT_UNKNOWN": NOT_FOUND,
}
_OF_FIELD = {
    "certNo": NO_NUMBER,
    "holderCode": NO_HOLDER_CODE,
    "holder": NO_HOLDER,
}
_EMPTY = frozenset({"FIELD_REQUIRED", "PURPOSE_REQUIRED", "BASIS_REQUIRED"})
_BAD = {"HOLDER_ID_TYPE_UNKNOWN": BAD_HOLDER_TYPE}


def status_of(fault: Fault) -> int:
    """Return the number for a refusal; of several wrong fields the first one's."""
    if fault.code == "LICENCE_NOT_USABLE":
        named = fault.metadata.get("status", "")
        return OF_STATUS.get(LicenceStatus(named), RESTRICTED) if named in set(LicenceStatus) else RESTRICTED
    for violation in fault.violations:
        field = violation.field_path.rpartition(".")[2]
        if violation.reason.code in _EMPTY:
            return _OF_FIELD.get(field, PARAMETER_EMPTY)
        return _BAD.get(violation.reason.code, BAD_VALUE)
    if fault.code in OF_REASON:
        return OF_REASON[fault.code]
    return BAD_VALUE if fault.kind is Kind.INVALID_ARGUMENT else SYSTEM_ERROR
