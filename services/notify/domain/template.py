"""Message templates: versioned, approved, with a closed list of parameters."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from chassis.errors import FIELD_REQUIRED, Kind, Violation, declare, refuse

TEMPLATE_UNKNOWN = declare(
    "TEMPLATE_UNKNOWN",
    Kind.INVALID_ARGUMENT,
    "没有已批准的消息模板 {template}",
    "No approved template {template}",
)
TEMPLATE_CHANNEL = declare(
    "TEMPLATE_CHANNEL",
    Kind.INVALID_ARGUMENT,
    "模板 {template} 不能用于渠道 {channel}",
    "Template {template} has no text for channel {channel}",
)
PARAMETER_UNEXPECTED = declare(
    "PARAMETER_UNEXPECTED", Kind.INVALID_ARGUMENT, "模板没有此参数", "The template has no such parameter"
)


_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
# Substituted by hand and not with format(), so that a text can never reach attributes of an object.


class Channel(StrEnum):
    """How a message reaches a person."""

    SMS = "sms"
    INBOX = "inbox"
    EMAIL = "email"


class Category(StrEnum):
    """What kind of message it is: a code expires and is never repeated late; a notice must arrive."""

    CODE = "code"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Template:
    """A message template (消息模板): one text per channel and language, ``{name}`` for parameters."""

    code: str
    version: int
    category: Category
    parameters: frozenset[str]
    titles: Mapping[str, str]
    texts: Mapping[tuple[Channel, str], str]

    def render(self, channel: Channel, language: str, parameters: Mapping[str, str]) -> str:
        """Return the text in the language asked for, else in Chinese.

        Raises INVALID_REQUEST with every missing and every unexpected parameter, TEMPLATE_CHANNEL
        when the template has no text for the channel.
        """
        refuse(self._wrong(parameters))
        text = self.texts.get((channel, language)) or self.texts.get((channel, "zh"))
        if text is None:
            raise TEMPLATE_CHANNEL(template=self.code, channel=channel)
        return _PLACEHOLDER.sub(lambda found: parameters[found[1]], text)

    def title(self, language: str) -> str:
        """Return the title in the language asked for, else in Chinese."""
        return self.titles.get(language) or self.titles["zh"]

    def channels(self) -> tuple[Channel, ...]:
        """Return the channels this template has a Chinese text for."""
        return tuple(channel for channel in Channel if (channel, "zh") in self.texts)

    def _wrong(self, parameters: Mapping[str, str]) -> list[Violation]:
        missing = [
            FIELD_REQUIRED.at(f"parameters.{name}") for name in sorted(self.parameters - set(parameters))
        ]
        extra = [
            PARAMETER_UNEXPECTED.at(f"parameters.{name}")
            for name in sorted(set(parameters) - self.parameters)
        ]
        return missing + extra


def placeholders(text: str) -> frozenset[str]:
    """Return the parameter names a text uses. Raises ValueError for anything but plain ``{name}``."""
    names = set[str]()
    for _, name, spec, conversion in string.Formatter().parse(text):
        if name is None:
            continue
        if not name.isidentifier() or spec or conversion:
            message = f"placeholder {{{name}}} is not a plain name"
            raise ValueError(message)
        names.add(name)
    return frozenset(names)
