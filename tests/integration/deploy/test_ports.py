"""preflight.py looks at real ports."""

from __future__ import annotations

import socket

from deploy import init
from deploy.checking import machine


def test_a_taken_port_is_named_with_its_variable(tmp_path):
    init.make_deployment(tmp_path, init.Owner.current(), "测试县")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (tmp_path / ".env").open("a") as file:
            file.write(f"TONGBAN_SEAL_GRPC_PORT={port}\n")
        found = {each.name: each for each in machine.look(tmp_path, ())}
    assert not found[f"port {port}"].ok
    assert "TONGBAN_SEAL_GRPC_PORT" in found[f"port {port}"].en
