"""The directory of one local stack: what lies where."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

SERVICES = ("intake", "certs", "seal", "notify")
SEAL_MAKER = "sealmaker"
"""The job that makes seals: another owner of secrets than the service that signs with them."""
SEAL_SIGNER = "sealsigner"
"""The process that opens the private keys of seals: a third owner of secrets, without network and database."""
SEAL_TSA = "tsa"
"""The time-stamping authority: a fourth owner of secrets, without database."""
LOG_WITNESS = "witness"
"""The witness of the registry's log: stands for a process that somebody else runs, with its own directory."""
SEAL_MAKER_ROLE = "seal_maker"
FURTHER_ROLES = {"seal": (SEAL_MAKER_ROLE,)}
"""Database roles of services beyond their owner and the one that serves."""
_LONGEST_SOCKET = 90


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below the stack's home (``.tongban`` unless told otherwise)."""

    home: Path

    @property
    def state_file(self) -> Path:
        """Addresses, processes and state of the stack, JSON."""
        return self.home / "stack.json"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's data directory."""
        return self.home / "postgres"

    @property
    def kafka(self) -> Path:
        """The local broker's data and log."""
        return self.home / "kafka"

    @property
    def certificates(self) -> Path:
        """The development authority and all identities it issued."""
        return self.home / "certificates"

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.home / "logs"

    @property
    def token_keys(self) -> Path:
        """The public keys of intake's bearer tokens, which every service reads."""
        return self.home / "token_keys.json"

    @property
    def log_keys(self) -> Path:
        """The former verifier keys of the registry's log, a line each; no file before its key was ever rotated."""
        return self.home / "log_keys.txt"

    @property
    def presentation_keys(self) -> Path:
        """The public keys of presentations, former ones too, which certs reads."""
        return self.home / "presentation_keys.json"

    @property
    def suspended_callers(self) -> Path:
        """The callers that are shut out, which every service reads; no file while there is none."""
        return self.home / "suspended_callers.txt"

    @property
    def terminal_keys(self) -> Path:
        """The public keys of the registered terminals, which intake reads."""
        return self.home / "terminal_keys"

    @property
    def federation(self) -> Path:
        """Who this stack's registry is among others and whom it agreed with; certs reads it."""
        return self.home / "federation"

    @property
    def tsa_exchange(self) -> Path:
        """Where the time-stamping authority leaves its requests and the maker its certificates."""
        return self.home / "data" / "tsa-exchange"

    def log(self, name: str) -> Path:
        """Return the log of one process."""
        return self.logs / f"{name}.log"

    def ready(self, service: str) -> Path:
        """Return the file that stands while the service is ready; it holds the service's process id."""
        return self.home / "run" / f"{service}.ready"

    def data(self, service: str) -> Path:
        """Return the directory of the service's own files."""
        return self.home / "data" / service

    def secrets(self, owner: str) -> Path:
        """Return the directory of secret files that one owner may read: a service, or ``stack`` for the supervisor."""
        return self.home / "secrets" / owner

    @property
    def signer_socket(self) -> Path:
        """Where the signer listens; beside the temporary files where the system would find the path too long."""
        here = self.home / "run" / "signer" / "signer.sock"
        if len(str(here)) <= _LONGEST_SOCKET:
            return here
        name = hashlib.sha256(str(self.home).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"tongban-{os.getuid()}-{name}" / "signer.sock"

    def make(self) -> None:
        """Have every directory; those with secrets are closed to other users."""
        self.home.mkdir(parents=True, exist_ok=True)
        for directory in (
            self.logs,
            self.home / "run",
            *map(self.data, (*SERVICES, SEAL_MAKER, SEAL_SIGNER, SEAL_TSA, LOG_WITNESS)),
        ):
            directory.mkdir(parents=True, exist_ok=True)
        for owner in (*SERVICES, SEAL_MAKER, SEAL_SIGNER, SEAL_TSA, "stack"):
            self.secrets(owner).mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.home / "secrets").chmod(0o700)
