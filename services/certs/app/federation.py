"""Federation put together: its servicer, its handler, what is told and asked in the background, its gauges."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from chassis.auth import SigningKeyFile
from chassis.auth.keys import signing_keys_from_pem
from chassis.auth.live import KeySource
from chassis.db import Database, Transaction
from chassis.event import Envelope
from chassis.failures import describe
from chassis.fresh import FreshFiles
from chassis.inbox import Handler
from chassis.logs import get_logger
from chassis.measuring import Measure
from chassis.rpc.channel import open_channel
from chassis.rpc.channel import service as service_peer
from chassis.rpc.tls import TlsFiles
from chassis.run import Part
from chassis.service import Runtime
from chassis.telemetry import counter, gauge
from chassis.worker import repeating
from events.certs import ReplicaSent
from services.certs.app.each_peer import of_each
from services.certs.app.replica_retention import FORGET_SECONDS, forgetting_step
from services.certs.clients import PeerRegistries
from services.certs.consumers import federation_handlers
from services.certs.domain.federation import (
    PROVED_WITHIN,
    Agreement,
    Federation,
    PeerRegistry,
    Refusal,
    ReplicaState,
)
from services.certs.domain.licence_type import LicenceTypes
from services.certs.federated import JoseEnvelopes, LiveFederation
from services.certs.rpc import Desk
from services.certs.rpc.federation import FederationDesk, federation_servicer
from services.certs.settings import CertsSettings
from services.certs.store import Vault, open_registry
from services.certs.store.log import BookStore
from services.certs.store.replica import ReplicaStore
from services.certs.store.replica_reports import reports
from services.certs.store.replica_sending import OutgoingStore
from services.certs.usecases.federation.catching_up import PAGES, catch_up
from services.certs.usecases.federation.exchanging import PAGE, OwnSide, pay_uses
from services.certs.usecases.federation.finding import Neighbours
from services.certs.usecases.federation.ports import Envelopes, Online, ReplicaBook
from services.certs.usecases.federation.receiving import Received, receive
from services.certs.usecases.federation.sending import send_changes, send_heartbeats

SEND_SECONDS = 0.2
CATCH_UP_SECONDS = 1.0
PAY_SECONDS = 1.0

log = get_logger(__name__)

REFUSED = counter(
    "replica_messages_refused", "Messages of other registries that were not taken", ["registry", "reason"]
)
AGE = gauge("replica_age_seconds", "How old the replica of a registry is", ["registry"])
FROZEN = gauge(
    "replica_frozen", "1 while a registry's log contradicts its earlier self: the alarm", ["registry"]
)
UNPROVED = gauge(
    "replica_unproved_licences",
    "Licences of which a registry has not proved in time that their state is in its log",
    ["registry"],
)
OWED = gauge("replica_owed_uses", "Uses that a registry was not told of yet", ["registry"])
OWED_AGE = gauge("replica_owed_age_seconds", "How long the oldest of them has waited", ["registry"])
UNANSWERED = counter(
    "registry_unanswered", "Questions that a registry did not answer", ["registry", "reason"]
)


@dataclass(frozen=True, slots=True)
class FederationParts:
    """What federation adds to the service."""

    servicer: tuple[Callable[[Any, Any], None], object]
    handlers: tuple[Handler[Any, Any], ...]
    workers: tuple[Part, ...]
    measure: Measure


@dataclass(frozen=True, slots=True)
class Exchange:
    """What everything here works with."""

    database: Database
    vault: Vault
    types: LicenceTypes
    federation: Callable[[], Federation]
    envelopes: Envelopes
    online: Online
    now: Callable[[], Any]
    heartbeat: timedelta

    @asynccontextmanager
    async def open_replica(self) -> AsyncIterator[ReplicaBook]:
        """Open the replica in a transaction of its own."""
        async with self.database.transaction() as tx:
            yield ReplicaBook(ReplicaStore(tx, self.vault), open_registry(tx, self.vault).usages)

    async def send(self) -> bool:
        """Tell what changed, and that we live; return whether more waits."""
        federation = self.federation()
        if not federation.is_on:
            return False
        async with self.database.transaction() as tx:
            outgoing, book = OutgoingStore(tx, self.vault), BookStore(tx)
            more = await send_changes(outgoing, book, federation, self.types, self.envelopes, self.now())
        if more:
            return True
        async with self.database.transaction() as tx:
            outgoing, book = OutgoingStore(tx, self.vault), BookStore(tx)
            await send_heartbeats(outgoing, book, federation, self.envelopes, self.heartbeat, self.now())
        return False

    async def catch_up(self) -> bool:
        """Ask every registry whose replica is stale for what is missing; return whether any has more.

        None waits for another's answer.
        """
        federation = self.federation()

        async def ask(agreement: Agreement) -> bool:
            found = await catch_up(
                self.open_replica, self.online, federation, self.envelopes, agreement, self.now
            )
            for each in found:
                tell(each)
            return len(found) >= PAGE * PAGES

        return await of_each(federation, ask, _failed)

    async def pay(self) -> bool:
        """Tell every registry of uses of its licences; return whether more wait. None waits for another."""

        async def pay(agreement: Agreement) -> bool:
            return await pay_uses(self.open_replica, self.online, agreement, self.now)

        return await of_each(self.federation(), pay, _failed)

    async def hear(self, tx: Transaction, event: ReplicaSent, envelope: Envelope, nothing: None) -> None:
        """Take one mirrored message, if it is for us."""
        del envelope, nothing
        federation = self.federation()
        if not federation.is_on or event.recipient_id != federation.registry_id:
            return
        found = await receive(
            ReplicaStore(tx, self.vault), federation, self.envelopes, event.message, self.now()
        )
        tx.after_commit(lambda: tell(found))

    def near(self) -> Neighbours:
        """Return what a look-up beyond our registry works with."""
        return Neighbours(
            self.federation(),
            self.envelopes,
            self.online,
            self.open_replica,
            self.types,
            self.limit_seconds,
            lambda registry, code: UNANSWERED.labels(registry, code).inc(),
            tell,
        )

    limit_seconds: float = 86_400.0

    def side_of(self, tx: Transaction) -> OwnSide:
        """Return our registry as another one may ask it."""
        registry, outgoing = open_registry(tx, self.vault), OutgoingStore(tx, self.vault)
        return OwnSide(
            self.federation(), self.types, self.envelopes, outgoing, registry.licences, registry.usages
        )


def _failed(registry_id: str, problem: BaseException) -> None:
    """Count and log that an exchange with one registry failed; the others' went on."""
    UNANSWERED.labels(registry_id, "EXCHANGE_FAILED").inc()
    log.error("registry_exchange_failed", registry=registry_id, cause=describe(problem))


def tell(found: Received) -> None:
    """Count and log what was refused; a fork or a wrong proof is an error that somebody must settle."""
    if found.refusal is None:
        return
    registry = found.issuer or "unknown"
    REFUSED.labels(registry, found.refusal.value).inc()
    say = log.error if found.refusal in {Refusal.FORKED, Refusal.PROOF_WRONG} else log.warning
    say("replica_message_refused", registry=registry, reason=found.refusal.value, detail=found.detail)


def federation_parts(runtime: Runtime, desk: Desk, vault: Vault) -> FederationParts:
    """Return federation's parts; they rest until the directory of the federation says who we are."""
    settings = runtime.settings
    assert isinstance(settings, CertsSettings)
    live = LiveFederation(settings.federation_dir, desk.departments.codes)
    online = PeerRegistries(_opening(settings), time.monotonic)
    exchange = Exchange(
        runtime.database,
        vault,
        desk.types,
        live.current,
        JoseEnvelopes(_key(settings.registry_key), _opening_keys(settings.replica_key)),
        online,
        runtime.clock,
        timedelta(seconds=settings.federation_heartbeat_seconds),
        settings.replica_limit_seconds,
    )
    tools = FederationDesk(
        exchange.near,
        exchange.side_of,
        lambda tx: ReplicaStore(tx, vault),
        BookStore,
        lambda tx: reports(tx, vault),
    )
    keep = timedelta(days=settings.replica_keep_days)
    forgetting = forgetting_step(runtime.database, vault, runtime.clock, keep)
    return FederationParts(
        federation_servicer(desk, tools),
        federation_handlers(exchange.hear),
        (
            repeating("replica_sending", exchange.send, every_seconds=SEND_SECONDS),
            repeating("replica_catch_up", exchange.catch_up, every_seconds=CATCH_UP_SECONDS),
            repeating("replica_uses", exchange.pay, every_seconds=PAY_SECONDS),
            repeating("replica_retention", forgetting, every_seconds=FORGET_SECONDS),
            _closing(online),
        ),
        replica_measure(exchange, vault),
    )


def _key(path: Any) -> KeySource:
    """Return the key of a file; who has none configured cannot be asked to sign."""
    if path is None:

        def missing() -> Any:
            message = "federation needs TONGBAN_CERTS_REGISTRY_KEY and TONGBAN_CERTS_REPLICA_KEY"
            raise ValueError(message)

        return missing
    return SigningKeyFile(path)


def _opening_keys(path: Path | None) -> Callable[[], Sequence[ECKey]]:
    """Return what gives the keys of a file as it is now: the present one, then those before it until they are retired."""
    if path is None:
        return tuple
    return FreshFiles([path], lambda: signing_keys_from_pem(path.read_bytes())).current


def _opening(settings: CertsSettings) -> Callable[[PeerRegistry], Any]:
    """Return how a channel to a peer is opened: with the files that `tongban federation peer add` left."""

    def open_to(peer: PeerRegistry) -> Any:
        if settings.federation_dir is None or settings.registry_tls_key is None or not peer.address:
            message = "no files to show to a peer"
            raise ValueError(message)
        stem = settings.federation_dir / "peers" / peer.registry_id
        tls = TlsFiles(
            stem.with_name(f"{stem.name}.certificate.pem"),
            settings.registry_tls_key,
            stem.with_name(f"{stem.name}.authority.pem"),
        )
        return open_channel(peer.address, service_peer("certs"), tls)

    return open_to


def _closing(online: PeerRegistries) -> Part:
    async def run(stop: asyncio.Event) -> None:
        await stop.wait()
        await online.close()

    return Part("peer_registries", run)


def replica_measure(exchange: Exchange, vault: Vault) -> Measure:
    """Return the measure of every registry we agreed with; one that tells us and was never heard is infinitely old."""

    async def measure(tx: Transaction) -> None:
        agreed = exchange.federation().agreements
        replica, now = ReplicaStore(tx, vault), exchange.now()
        for registry, agreement in agreed.items():
            state = await replica.state(registry)
            if state is None and agreement.accept:
                state = ReplicaState(registry)
            if state is not None:
                AGE.labels(registry).set(state.age_seconds(now))
                FROZEN.labels(registry).set(float(state.frozen_at is not None))
            overdue = await replica.proofs.overdue(registry, now - PROVED_WITHIN)
            UNPROVED.labels(registry).set(overdue)
            OWED.labels(registry).set(await replica.owed_count(registry))
            since = await replica.owed_since(registry)
            OWED_AGE.labels(registry).set((now - since).total_seconds() if since else 0.0)

    return measure
