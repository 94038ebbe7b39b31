"""``python -m services.seal serve | migrate | make-keys | make-seals | keep-seals | verify-ledger``."""

from __future__ import annotations

from chassis.entry import main
from services.seal import app
from services.seal.app import jobs, timer

main(
    "seal",
    app.serve,
    app.migration_settings,
    {
        "make-keys": jobs.make_keys,
        "make-seals": jobs.make_all_seals,
        "keep-seals": timer.keep_seals,
        "verify-ledger": jobs.verify_ledger,
    },
)
