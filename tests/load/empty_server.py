"""The limit of a look-up: ``python -m tests.load.empty_server JSON``, our server with an empty handler.

The same chassis, mutual TLS, guard, request and answer as certs, but the answer is a constant.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from chassis import logs
from chassis.rpc.server import RpcServer, serve
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
    server = RpcServer(tls)
    server.register(
        licence_pb2_grpc.add_LicenceServiceServicer_to_server,
        empty_servicer(Path(given["answer"]).read_bytes()),
    )
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
    import uvloop

    uvloop.run(main(json.loads(sys.argv[1])))
