"""A department's first call: list the parts that wait for it, then follow every change.

Run it on the local stack:

    tongban certificate 361123-market --json > department.json
    python docs/examples/first_call.py department.json

It needs grpcio, grpcio-status and the generated package ``tongban``, nothing else of ours.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from tongban.intake.v1 import part_pb2, part_pb2_grpc


def connect(identity: dict, service: str) -> grpc.Channel:
    """Return a channel that shows the department's certificate and checks the service's."""
    credentials = grpc.ssl_channel_credentials(
        Path(identity["authority"]).read_bytes(),
        Path(identity["key"]).read_bytes(),
        Path(identity["certificate"]).read_bytes(),
    )
    at = identity["services"][service]
    return grpc.secure_channel(at["address"], credentials, [("grpc.ssl_target_name_override", at["name"])])


def reason_of(error: grpc.RpcError) -> str:
    """Return the stable reason of a refusal: match on it, never on the text."""
    for detail in rpc_status.from_call(error).details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason
    return error.code().name


def main() -> None:
    """List, ask for something that is not ours, follow."""
    identity = json.loads(Path(sys.argv[1]).read_text())
    with connect(identity, "intake") as channel:
        parts = part_pb2_grpc.PartServiceStub(channel)
        listed = parts.ListParts(part_pb2.ListPartsRequest(page_size=10), timeout=5)
        print(f"{len(listed.parts)} parts")
        for part in listed.parts:
            print(part.case_no, part.item_name, part_pb2.PartState.Name(part.state), part.promised.due_date)
        try:
            parts.GetPart(part_pb2.GetPartRequest(part_id="00000000-0000-7000-8000-000000000000"), timeout=5)
        except grpc.RpcError as error:
            print("refused:", reason_of(error))
        changes = parts.ListPartChanges(part_pb2.ListPartChangesRequest(start_revision=0), timeout=5)
        print(f"{len(changes.changes)} changes, go on with revision {changes.next_revision}")


if __name__ == "__main__":
    main()
