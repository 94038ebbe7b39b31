"""The limit of a look-up: ``python -m tests.load.empty_server JSON``, our server with an empty handler.

What certs pays for any call is paid here too: the same chassis server over mutual TLS, its guard (identity,
access rule, the list of suspended callers, trace without an exporter, deadline, check of the request,
metrics), garbage collection at rest, the same request parsed, and the same answer built as a message and
serialised. Only the work is missing: no look-up, no decryption, no record. So the ratio of the two is about
the registry's own work.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from chassis import logs, telemetry
from chassis.collecting import spare_what_stays
from chassis.rpc.server import RpcServer, serve
from chassis.rpc.suspended import SuspendedCallers
from chassis.rpc.tls import TlsFiles
from tongban.certs.v1 import licence_pb2 as pb
from tongban.certs.v1 import licence_pb2_grpc


def empty_servicer(answer: bytes) -> object:
    """Return a servicer whose every method answers the same; only FindLicences is asked."""

    async def FindLicences(self: object, request: pb.FindLicencesRequest, context: Any) -> Any:
        return pb.FindLicencesResponse.FromString(answer)

    methods = (
        "FindLicences",
        "GetLicence",
        "GetLicenceDocument",
        "ChangeLicenceStatus",
        "GetUnsealedDocument",
    )
    return type("EmptyServicer", (), dict.fromkeys(methods, FindLicences))()


async def main(given: dict[str, Any]) -> None:
    tls = TlsFiles(*(Path(given[name]) for name in ("certificate", "key", "authority")))
    server = RpcServer(tls, suspended=SuspendedCallers(tls.certificate.with_name("suspended")))
    server.register(
        licence_pb2_grpc.add_LicenceServiceServicer_to_server,
        empty_servicer(Path(given["answer"]).read_bytes()),
    )
    spare_what_stays()
    stop = asyncio.Event()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    serving = asyncio.create_task(
        serve(server, given["address"], stop, notice_seconds=0.0, grace_seconds=1.0)
    )
    sys.stdout.write("> ready\n")
    sys.stdout.flush()
    await reader.read()
    stop.set()
    await serving


if __name__ == "__main__":
    logs.configure("load", level="error")
    telemetry.set_up("load")
    import uvloop

    uvloop.run(main(json.loads(sys.argv[1])))
