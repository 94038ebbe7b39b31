"""SealService, the part about applications: apply, decide, withdraw, read, import certificates."""

from __future__ import annotations

from dataclasses import dataclass

import grpc

from chassis.clock import Clock
from chassis.db import Database, Transaction
from chassis.errors import NOT_PERMITTED
from chassis.rpc.call import caller
from chassis.rpc.once import once
from services.seal.domain.application import ApplicationStatus, Verdict
from services.seal.domain.suite import Suites
from services.seal.rpc.application_messages import (
    application_id_of,
    application_message,
    request_messages,
    wish_of,
    without_name,
)
from services.seal.rpc.messages import check_page_size, own_only
from services.seal.usecases.application_ports import ImportedCertificate
from services.seal.usecases.applications import (
    Office,
    apply_for_seal,
    decide_application,
    get_application,
    list_applications,
    withdraw_application,
)
from services.seal.usecases.import_certificates import import_certificates
from services.seal.usecases.ports import WorkOf
from tongban.seal.v1 import application_pb2 as pb
from tongban.seal.v1 import seal_pb2_grpc

Context = grpc.aio.ServicerContext[object, object]


@dataclass(frozen=True, slots=True)
class Counter:
    """Where the register's calls are served: the stores, the clock, the suites and who makes keys."""

    database: Database
    work_of: WorkOf[Transaction]
    clock: Clock
    suites: Suites
    office: Office


class ApplicationRpcs(seal_pb2_grpc.SealServiceServicer):
    """What callers do with applications; answers that are kept for a repeat show no person's name."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    async def ApplyForSeal(
        self, request: pb.ApplyForSealRequest, context: Context
    ) -> pb.ApplyForSealResponse:
        """Enter an application, once per request id; a department applies for itself."""
        here, wish_and_faults = self._counter, wish_of(request, str(caller(context).peer))
        wish, wrong = wish_and_faults
        if own_only() not in {None, wish.owner_code}:
            raise NOT_PERMITTED()
        async with here.database.transaction() as tx:
            stores = here.work_of(tx)

            async def work() -> pb.ApplyForSealResponse:
                made = await apply_for_seal(stores, wish, here.clock, wrong)
                return pb.ApplyForSealResponse(application=application_message(made, clear=False))

            index = stores.applications.name_index(wish.kind, wish.name)
            return await once(tx, without_name(request, index), pb.ApplyForSealResponse, work)

    async def DecideSealApplication(
        self, request: pb.DecideSealApplicationRequest, context: Context
    ) -> pb.DecideSealApplicationResponse:
        """Have the application approved or rejected, once per request id."""
        here, application_id = self._counter, application_id_of(request.application_id)
        status = ApplicationStatus.APPROVED if request.approve else ApplicationStatus.REJECTED
        verdict = Verdict(status, request.reason, request.operator, str(caller(context).peer))
        async with here.database.transaction() as tx:

            async def work() -> pb.DecideSealApplicationResponse:
                decided = await decide_application(
                    here.work_of(tx), here.office, application_id, request.etag, verdict, here.clock
                )
                return pb.DecideSealApplicationResponse(application=application_message(decided, clear=False))

            return await once(tx, request, pb.DecideSealApplicationResponse, work)

    async def WithdrawSealApplication(
        self, request: pb.WithdrawSealApplicationRequest, context: Context
    ) -> pb.WithdrawSealApplicationResponse:
        """Have the application withdrawn, once per request id; a department its own."""
        here, application_id = self._counter, application_id_of(request.application_id)
        verdict = Verdict(
            ApplicationStatus.WITHDRAWN, request.reason, request.operator, str(caller(context).peer)
        )
        async with here.database.transaction() as tx:

            async def work() -> pb.WithdrawSealApplicationResponse:
                stores = here.work_of(tx)
                await get_application(stores, application_id, own_only())
                found = await withdraw_application(stores, application_id, request.etag, verdict, here.clock)
                return pb.WithdrawSealApplicationResponse(application=application_message(found, clear=False))

            return await once(tx, request, pb.WithdrawSealApplicationResponse, work)

    async def ListSealApplications(
        self, request: pb.ListSealApplicationsRequest, context: Context
    ) -> pb.ListSealApplicationsResponse:
        """Return a page of applications: all for an operator, a department's own for it."""
        del context
        check_page_size(request.page_size)
        token = application_id_of(request.page_token) if request.page_token else ""
        owner, here = own_only(), self._counter
        async with here.database.transaction() as tx:
            found, following = await list_applications(here.work_of(tx), owner, request.page_size, token)
        return pb.ListSealApplicationsResponse(
            applications=[application_message(each, clear=owner is not None) for each in found],
            next_page_token=following,
        )

    async def GetSealApplication(
        self, request: pb.GetSealApplicationRequest, context: Context
    ) -> pb.GetSealApplicationResponse:
        """Return one application in clear, which who decides has to read, and its requests for certificates."""
        del context
        application_id, here = application_id_of(request.application_id), self._counter
        async with here.database.transaction() as tx:
            found, keys = await get_application(here.work_of(tx), application_id, own_only())
        return pb.GetSealApplicationResponse(
            application=application_message(found, clear=True), requests=request_messages(keys)
        )

    async def ImportSealCertificates(
        self, request: pb.ImportSealCertificatesRequest, context: Context
    ) -> pb.ImportSealCertificatesResponse:
        """Keep certificates of another authority for an application's keys, once per request id."""
        here, application_id = self._counter, application_id_of(request.application_id)
        account = str(caller(context).peer)
        async with here.database.transaction() as tx:
            imported = [
                ImportedCertificate(
                    each.suite,
                    each.certificate_der,
                    tuple(each.chain_der),
                    request.operator,
                    account,
                    here.clock(),
                )
                for each in request.certificates
            ]

            async def work() -> pb.ImportSealCertificatesResponse:
                found = await import_certificates(
                    here.work_of(tx), here.suites, application_id, imported, here.clock
                )
                return pb.ImportSealCertificatesResponse(application=application_message(found, clear=False))

            return await once(tx, request, pb.ImportSealCertificatesResponse, work)
