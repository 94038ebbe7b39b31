"""``python -m tests.simulator [messaging|choreography] --simulations N --first-seed K``.

Deterministic simulation: one seed decides every latency, fault, crash and order; nothing else does.

* ``messaging``: the real outbox writer, relay, inbox, attempts, parking and replay between writers and one consumer.
* ``choreography``: four services with their real handlers, use cases and domain, and the departments' streams.

Stood in for: PostgreSQL (``database/``, proven equal by ``test_same_as_postgres.py``), the bus (``bus.py``, behind
the port), stores of the services (``services/``, behind the ports of the use cases), drawing and signing.
Not simulated: power cuts, torn writes, changes of the number of relay shards, gRPC and HTTP.
"""

from __future__ import annotations

import argparse
import gc
import sys

from tests.simulator.judging import JUDGES, run_seeds


def main() -> int:
    """Run the seeds; print the trace hash of a single one; 1 when something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulator")
    parser.add_argument("name", choices=sorted(JUDGES), nargs="?", default="messaging")
    parser.add_argument("--simulations", type=int, default=1_000)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--hash", action="store_true", help="print the trace hash of each seed")
    chosen = parser.parse_args()
    gc.disable()
    seeds = range(chosen.first_seed, chosen.first_seed + chosen.simulations)
    if chosen.hash:
        for seed in seeds:
            print(seed, JUDGES[chosen.name](seed).trace_hash)
        return 0
    report = run_seeds(chosen.name, JUDGES[chosen.name], seeds)
    print(report)
    if report.failed:
        print(report.complaint())
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
