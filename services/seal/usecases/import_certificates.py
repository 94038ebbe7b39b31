"""Import what a certification authority issued for the keys of an application."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chassis.clock import Clock
from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, Kind, declare, refuse
from services.seal.domain.application import APPLICATION_NOT_FOUND, Application, ApplicationStatus
from services.seal.domain.issued import faults_of
from services.seal.domain.suite import Suites
from services.seal.usecases.application_ports import ImportedCertificate, KeyRequest
from services.seal.usecases.ports import TrustBundle, Work

NO_IMPORT = declare(
    "SEAL_IMPORT_NOT_DUE",
    Kind.FAILED_PRECONDITION,
    "该申请不等待导入证书",
    "This application does not wait for certificates of another authority",
)
CERTIFICATE_REFUSED = declare(
    "SEAL_CERTIFICATE_REFUSED",
    Kind.FAILED_PRECONDITION,
    "导入的证书已不可用：{faults}",
    "An imported certificate can no longer be used: {faults}",
)
MAIN_SUITE = "SM2-SM3"


async def import_certificates(
    work: Work, suites: Suites, application_id: str, imported: Sequence[ImportedCertificate], clock: Clock
) -> Application:
    """Keep the certificates for the maker, which judges them once more before it makes the seal with them.

    The one of the seal's own suite must be among them. The anchors are those that the maker publishes.
    Raises INVALID_REQUEST naming every fault of every certificate, SEAL_APPLICATION_NOT_FOUND, SEAL_IMPORT_NOT_DUE.
    """
    now = clock()
    application = await work.applications.get(application_id, lock=True)
    if application is None:
        raise APPLICATION_NOT_FOUND()
    taken = await work.applications.certificates(application_id)
    if not application.wish.external or application.state is not ApplicationStatus.APPROVED or taken:
        raise NO_IMPORT()
    keys = {each.suite: each for each in await work.keys.of_application(application_id)}
    bundle = await work.trust.bundle(now)
    wrong = [] if any(each.suite == MAIN_SUITE for each in imported) else [FIELD_REQUIRED.at(MAIN_SUITE)]
    seen: set[str] = set()
    for number, each in enumerate(imported):
        place = f"certificates[{number}]"
        suite, key = suites.by_name(each.suite), keys.get(each.suite)
        if suite is None or key is None or each.suite in seen:
            wrong.append(FIELD_MALFORMED.at(f"{place}.suite"))
            continue
        seen.add(each.suite)
        wrong += faults_of(
            each.certificate, each.chain, key.public_key, suite, suites, bundle.anchors, now, place
        )
    wrong += [FIELD_REQUIRED.at("operator") for each in imported[:1] if not each.imported_by.strip()]
    refuse(wrong)
    for each in imported:
        await work.applications.keep_certificate(application_id, each)
    return application


def check_imported(
    imported: ImportedCertificate, key: KeyRequest, suites: Suites, bundle: TrustBundle, now: datetime
) -> None:
    """Do nothing for a certificate that may serve the key now. Raises SEAL_CERTIFICATE_REFUSED naming the faults."""
    suite = suites.by_name(imported.suite)
    assert suite is not None, "the key is of one of them"
    faults = faults_of(
        imported.certificate, imported.chain, key.public_key, suite, suites, bundle.anchors, now
    )
    if faults:
        raise CERTIFICATE_REFUSED(faults=", ".join(each.reason.code for each in faults))
