"""An identity platform is connected wholly or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.errors import Fault
from services.intake.settings import IntakeSettings

FILES = ("tls_certificate", "tls_key", "tls_authority", "token_keys", "field_keys", "token_key")
GIVEN: dict[str, Any] = {
    "database_dsn": "x",
    "bus": "postgres",
    "bus_dsn": "x",
    "grpc_port": 0,
    "http_port": 0,
    **dict.fromkeys(("certs_address", "seal_address", "notify_address"), "peer:1"),
    **dict.fromkeys(FILES, "nothing"),
}
PLATFORM = {
    "oidc_issuer": "https://id.example/realm",
    "oidc_client_id": "c",
    "oidc_client_secret": "s",
    "oidc_redirect_uri": "https://intake.example/v1/sessions/oidc/callback",
    "oidc_acr_levels": "urn:example:card=3  urn:example:data=2",
}


def test_levels_are_read_per_acr() -> None:
    found = IntakeSettings(**{**GIVEN, **PLATFORM})
    assert found.acr_levels() == {"urn:example:card": 3, "urn:example:data": 2}


@pytest.mark.parametrize(
    "wrong",
    [{name: None} for name in PLATFORM if name != "oidc_issuer"]
    + [
        {"oidc_issuer": "http://id.example"},
        {"oidc_redirect_uri": "http://intake.example"},
        {"oidc_acr_levels": "urn:example:face=4"},
        {"oidc_acr_levels": "urn:example:card"},
        {"oidc_networks": "everywhere"},
    ],
    ids=str,
)
def test_what_is_half_said_is_refused_at_start(wrong: dict[str, str | None]) -> None:
    with pytest.raises(Fault) as refused:
        IntakeSettings(**{**GIVEN, **PLATFORM, **wrong})
    assert {each.field_path for each in refused.value.violations} == {
        f"TONGBAN_INTAKE_{name}".upper() for name in wrong
    }
