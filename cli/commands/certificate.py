"""`tongban certificate`: the mutual-TLS identity of a department's system on the local stack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from chassis.rpc.channel import service as service_peer
from chassis.rpc.peer import Peer
from cli.departments import office_by_id, read_offices
from cli.local.authority import open_authority
from cli.local.control import running
from cli.local.layout import Layout
from cli.output import AsJson, refusals, show
from cli.places import catalogue_dir, stack_home

ASKED = ("intake", "certs", "seal")
"""The services that departments call."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(certificate)


def certificate(
    department: Annotated[str, typer.Argument(help="部门编号,如 361123-market | Id in the catalogue.")],
    *,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")] = None,
    as_json: AsJson = False,
) -> None:
    """部门系统的证书与地址 | A department's certificate and key, made when asked for, and where to call."""
    with refusals(as_json=as_json):
        layout = Layout(stack_home(data_dir))
        state = running(layout)
        office = office_by_id(read_offices(catalogue_dir()), department)
        tls = open_authority(layout.certificates).identity(Peer("department", office.uscc))
        services = {
            name: {"address": state.services[name].grpc, "name": service_peer(name).host_name}
            for name in ASKED
        }
        data = {
            "department": office.uscc,
            "certificate": str(tls.certificate),
            "key": str(tls.key),
            "authority": str(tls.authority),
            "services": services,
        }
        table = Table(show_header=False)
        for name in ("department", "certificate", "key", "authority"):
            table.add_row(name, str(data[name]))
        for name, at in services.items():
            table.add_row(f"{name} gRPC", f"{at['address']} ({at['name']})")
        show(data, table, as_json=as_json)
