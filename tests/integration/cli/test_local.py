"""Pieces of the local stack that need no process: secrets, ports, logs, the description of a stack."""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chassis.errors import Fault
from chassis.settings import ServiceSettings
from cli.local.control import Wanted, describe
from cli.local.credentials import drop_moved_secrets, keystore_key_file, make_secrets, passwords, write_dsns
from cli.local.layout import SERVICES, Layout
from cli.local.ports import free_port, is_free
from cli.local.processes import ProcessId, me, memory
from cli.local.services import service_processes, signer_process, tsa_process
from cli.local.state import Running, StackState, read_state
from cli.local.supervisor import bound_log
from cli.main import app

DSN = "postgresql:///postgres?host=/somewhere"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "home")
    made.make()
    return made


def test_secrets_are_made_once_and_closed_to_others(layout):
    make_secrets(layout)
    before = passwords(layout)
    make_secrets(layout)
    assert passwords(layout) == before
    assert (
        len(set(before.values())) == len(before) == 13
    )  # superuser, two for each database, the seal maker, the backup
    write_dsns(layout, DSN)
    for path in (layout.home / "secrets").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_service_is_told_of_no_secret_of_another(layout):
    make_secrets(layout)
    write_dsns(layout, DSN)
    known = passwords(layout)
    for service in SERVICES:
        texts = "".join(path.read_text() for path in layout.secrets(service).iterdir())
        others = {role: word for role, word in known.items() if role not in {f"{service}_app", "bus_app"}}
        assert not [role for role, word in others.items() if word in texts]


def test_the_described_environment_satisfies_the_settings_of_each_service(layout, monkeypatch):
    make_secrets(layout)
    write_dsns(layout, DSN)
    state = describe(layout, Wanted(layout.home / "catalogue"))
    for process in service_processes(layout, state):
        with monkeypatch.context() as patch:
            for key, value in process.environment.items():
                patch.setenv(key, value)
            prefix = f"TONGBAN_{process.name.upper()}_"
            config = {**ServiceSettings.model_config, "env_prefix": prefix}
            settings = type("OneService", (ServiceSettings,), {"model_config": config})()
        assert settings.bus == "postgres"
        assert settings.certs_address == state.services["certs"].grpc
        assert f"{process.name}_app" in settings.database_dsn.get_secret_value()
        assert settings.tls_key.is_file()
        assert settings.token_keys.is_file()
        assert settings.field_keys.is_file()


def test_no_secret_stands_in_an_environment(layout):
    make_secrets(layout)
    write_dsns(layout, DSN)
    state = describe(layout, Wanted(layout.home / "catalogue"))
    words = passwords(layout).values()
    for process in service_processes(layout, state):
        assert not [word for word in words if word in json.dumps(dict(process.environment))]


def test_ports_asked_for_are_taken_and_others_stay_the_same_next_time(layout):
    first = free_port()
    wanted = Wanted(layout.home, intake_http=first)
    before = describe(layout, wanted)
    before.write(layout.state_file)
    again = describe(layout, Wanted(layout.home))
    assert again.services == before.services
    assert again.services["intake"].http == f"127.0.0.1:{first}"


def test_a_port_that_is_taken_is_refused(layout):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(Fault, match="PORT_TAKEN"):
            describe(layout, Wanted(layout.home, intake_http=port))


def test_a_process_is_not_taken_for_another_with_the_same_id():
    this = me()
    assert this.alive()
    assert this.pid == os.getpid()
    assert not ProcessId(this.pid, time.time() + 60).alive()


def test_memory_counts_shared_pages_once():
    held = memory([os.getpid()])
    assert 0 < held.pss_bytes <= held.rss_bytes


def test_a_log_stays_within_its_limit_and_the_writer_goes_on(tmp_path):
    log = tmp_path / "a.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 100)
        bound_log(log, 100)
        assert log.stat().st_size == 100
        writer.write(b"y")
        bound_log(log, 100)
        writer.write(b"after")
    assert log.read_bytes() == b"after"
    assert (tmp_path / "a.log.1").read_bytes() == b"x" * 100 + b"y"


def test_a_state_survives_its_file_and_a_broken_file_is_no_state(layout):
    state = StackState(catalogue=layout.home, supervisor=Running(pid=1, started_at=2.0))
    state.write(layout.state_file)
    assert read_state(layout.state_file) == state
    assert not state.supervised
    layout.state_file.write_text("{")
    assert read_state(layout.state_file) is None


def test_status_and_down_of_no_stack_are_refused(tmp_path):
    for command in ("status", "down"):
        result = CliRunner().invoke(app, [command, "--data-dir", str(tmp_path), "--json"])
        assert (result.exit_code, json.loads(result.stdout)["reason"]) == (1, "STACK_NOT_RUNNING")


def test_the_keystores_secret_of_an_older_stack_moves_to_the_signer_unchanged(layout):
    before = layout.secrets("seal") / "tongban_seal_keystore_key"
    before.write_text("the secret of the release before, which had it in the service")
    make_secrets(layout)
    assert before.exists()  # the release before may serve on until it is stopped
    assert keystore_key_file(layout).read_text().startswith("the secret of the release before")
    drop_moved_secrets(layout)
    assert not before.exists()
    make_secrets(layout)
    assert keystore_key_file(layout).read_text().startswith("the secret of the release before")


def test_the_signer_is_told_of_its_socket_and_secret_only(layout):
    make_secrets(layout)
    told = {key for key in signer_process(layout).environment if key.startswith("TONGBAN_")}
    assert told == {"TONGBAN_SECRETS_DIR", "TONGBAN_SEALSIGNER_SOCKET", "TONGBAN_SEALSIGNER_READY_FILE"}
    assert [path.name for path in layout.secrets("sealsigner").iterdir()] == [keystore_key_file(layout).name]
    assert "keystore" not in "".join(path.name for path in layout.secrets("seal").iterdir())


def test_a_deep_home_has_its_socket_where_the_system_finds_it(tmp_path):
    layout = Layout(tmp_path / ("deep" * 20))
    assert len(str(layout.signer_socket)) <= 90
    assert layout.signer_socket == Layout(tmp_path / ("deep" * 20)).signer_socket
    assert layout.signer_socket != Layout(tmp_path / ("deer" * 20)).signer_socket


def test_the_time_stamper_finds_every_setting_and_is_told_of_nobody_elses_secret(layout, monkeypatch):
    from services.seal.app.stamping import TsaSettings

    make_secrets(layout)
    state = describe(layout, Wanted(layout.home / "catalogue"))
    process = tsa_process(layout, state)
    for key in [key for key in os.environ if key.startswith("TONGBAN_")]:
        monkeypatch.delenv(key)
    for key, value in process.environment.items():
        monkeypatch.setenv(key, value)
    settings = TsaSettings()
    assert state.tsa == f"127.0.0.1:{settings.http_port}"
    assert settings.exchange_dir == layout.tsa_exchange
    assert [path.name for path in layout.secrets("tsa").iterdir()] == ["tongban_tsa_keystore_key"]
    (seal,) = (each for each in service_processes(layout, state) if each.name == "seal")
    assert seal.environment["TONGBAN_SEAL_TIMESTAMPERS"] == state.tsa
