"""`tongban migrate` without a database: the SQL for a DBA, and what is said when a setting is missing."""

from __future__ import annotations

from typer.testing import CliRunner

from cli.main import app


def test_the_sql_of_all_migrations_can_be_read_before_it_is_run():
    result = CliRunner().invoke(app, ["migrate", "notify", "--sql"])
    assert result.exit_code == 0, result.output
    assert "SET lock_timeout" in result.stdout
    assert "CREATE TABLE" in result.stdout.upper()


def test_a_missing_owner_dsn_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("TONGBAN_SECRETS_DIR", str(tmp_path))
    monkeypatch.delenv("TONGBAN_CERTS_MIGRATOR_DSN", raising=False)
    result = CliRunner().invoke(app, ["migrate", "certs"])
    assert result.exit_code == 2
    assert "TONGBAN_CERTS_MIGRATOR_DSN" in result.output
