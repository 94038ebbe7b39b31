"""What carries messages is what the settings say: gateways at their own hosts, mail over TLS, else the sandbox."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.clock import system_clock
from chassis.errors import Fault
from services.notify.app import mail_carriages, sms_carriage
from services.notify.clients.mail import LONGEST_SECONDS
from services.notify.clients.sms import SEND_SECONDS
from services.notify.domain.message import SENDING_LEASE
from services.notify.domain.template import Channel
from services.notify.sandbox import SandboxProvider
from services.notify.settings import NotifySettings

FILES = ("tls_certificate", "tls_key", "tls_authority", "token_keys", "field_keys")
GIVEN: dict[str, Any] = {
    "database_dsn": "x",
    "bus": "postgres",
    "bus_dsn": "x",
    "grpc_port": 0,
    "http_port": 0,
    "intake_address": "intake:1",
    **dict.fromkeys(FILES, "nothing"),
}
GATEWAYS = {
    "sms_primary_url": "https://one.example:8443/sms",
    "sms_primary_token": "a",
    "sms_secondary_url": "https://two.example",
    "sms_secondary_token": "b",
}
MAIL = {"smtp_host": "mail.example", "smtp_sender": "no-reply@gov.example"}
SANDBOX = SandboxProvider(None, None, system_clock)  # type: ignore[arg-type]


def settings(**more: Any) -> NotifySettings:
    return NotifySettings(**{**GIVEN, **more})


def missing(**more: Any) -> set[str]:
    with pytest.raises(Fault) as refused:
        settings(**more)
    return {each.field_path.removeprefix("TONGBAN_NOTIFY_") for each in refused.value.violations}


def test_without_settings_the_sandbox_takes_short_messages_and_nothing_takes_mail() -> None:
    assert list(sms_carriage(settings(), SANDBOX).providers) == ["sandbox"]
    assert mail_carriages(settings(), system_clock) == []


def test_gateways_take_them_in_their_order() -> None:
    assert list(sms_carriage(settings(**GATEWAYS), SANDBOX).providers) == ["sms-primary", "sms-secondary"]


def test_no_call_outlasts_the_lease_of_its_message() -> None:
    sms = sms_carriage(settings(**GATEWAYS), SANDBOX)
    (mail,) = mail_carriages(settings(**MAIL), system_clock)
    assert sms.longest_call.total_seconds() > 2 * SEND_SECONDS, "sending and asking"
    assert sms.longest_call + sms.longest_call <= SENDING_LEASE[Channel.SMS]
    assert mail.longest_call.total_seconds() >= LONGEST_SECONDS
    assert mail.longest_call < SENDING_LEASE[Channel.EMAIL]


@pytest.mark.parametrize(
    ("given", "lacking"),
    [
        ({"sms_primary_url": "https://one.example"}, ["SMS_PRIMARY_TOKEN"]),
        ({"sms_secondary_url": "https://two.example"}, ["SMS_PRIMARY_URL", "SMS_SECONDARY_TOKEN"]),
        ({"smtp_host": "mail.example"}, ["SMTP_SENDER"]),
        ({**MAIL, "smtp_user": "u"}, ["SMTP_PASSWORD"]),
        ({**MAIL, "smtp_security": "none"}, ["SMTP_SECURITY"]),
        ({**GATEWAYS, "sms_primary_url": "http://one.example"}, ["SMS_PRIMARY_URL"]),
        ({**GATEWAYS, "sms_networks": "10.0.0.0/33"}, ["SMS_NETWORKS"]),
    ],
    ids=str,
)
def test_what_is_half_said_is_refused_at_start(given: dict[str, str], lacking: list[str]) -> None:
    assert sorted(missing(**given)) == lacking
