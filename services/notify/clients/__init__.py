"""What notify asks of others: contacts of intake, a short-message gateway, a mail server."""

from __future__ import annotations

from services.notify.clients.contacts import IntakeContacts
from services.notify.clients.mail import MailProvider, MailServer
from services.notify.clients.sms import Gateway, SmsProvider

__all__ = ["Gateway", "IntakeContacts", "MailProvider", "MailServer", "SmsProvider"]
