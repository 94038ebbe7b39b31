"""``python -m services.seal serve | signer | tsa | migrate`` and the jobs of `jobs`, `timer`, `signer` and `stamping`."""

from __future__ import annotations

from chassis.entry import main
from services.seal import app
from services.seal.app import jobs, signer, stamping, timer

main(
    "seal",
    app.serve,
    app.migration_settings,
    {
        "signer": signer.serve_signer,
        "signer-health": signer.signer_health,
        "new-token-key": signer.new_token_key,
        "drop-token-keys": signer.drop_token_keys,
        "make-keys": jobs.make_keys,
        "make-seals": jobs.make_all_seals,
        "keep-seals": timer.keep_seals,
        "verify-ledger": jobs.verify_ledger,
        "make-tsa-keys": stamping.make_tsa_keys,
        "tsa": stamping.serve_tsa,
    },
)
