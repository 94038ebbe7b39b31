"""The `tongban` command: every group of commands is one module of `cli.commands`."""

from __future__ import annotations

import typer

from cli.commands import (
    backup,
    callers,
    certificate,
    check,
    check_qr,
    dead_letters,
    deadline,
    demo,
    doctor,
    federation,
    keys,
    licence_types,
    licences,
    provision,
    reconcile,
    replay,
    restore,
    seals,
    service,
    sessions,
    sources,
    stack,
    transparency_log,
    verify,
    witness,
    working_calendar,
)

app = typer.Typer(
    name="tongban",
    help="通办:一网通办后台 | The back end of a one-network government service.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # locals may hold personal data
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (
    stack,
    demo,
    licences,
    licence_types,
    sources,
    verify,
    doctor,
    check,
    check_qr,
    deadline,
    certificate,
    service,
    provision,
    replay,
    dead_letters,
    backup,
    restore,
    reconcile,
    keys,
    callers,
    sessions,
    seals,
    working_calendar,
    transparency_log,
    witness,
    federation,
):
    group.register(app)
