"""The inventory of cryptography (ASVS 11.1.2): what is declared here, where the code uses it.

A use that no declaration covers makes ``undeclared`` speak, and the layout tests fail.
"""  # noqa: INP001 - see code_facts

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from docs.crypto_usage import uses

NOTICE = "<!-- Written by `make docs` from the code; edit docs/crypto_inventory.py. -->\n"
ANYWHERE = ("*",)


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One use of cryptography: which primitives of the code, in which files, it covers."""

    algorithm: str
    purpose: str
    key_bits: str
    kept: str
    rotation: str
    standard: str
    names: tuple[str, ...]
    places: tuple[str, ...]


MECHANISMS = (
    Mechanism(
        "SM4-GCM (default), AES-256-GCM; HKDF-SHA-256 per service, suite and key",
        "personal data in columns, files, stored answers; version, key id, service and field are authenticated",
        "128 / 256, from 256-bit master keys", "field keyring, one secret file per service",
        "`tongban keys rotate`, `rewrap`, `retire`; noticed without restart; yearly or on suspicion",
        "GB/T 32907-2016, NIST SP 800-38D, RFC 5869",
        ("Cipher", "BlockCipherAlgorithm", "algorithms.SM4", "algorithms.AES256", "modes.GCM", "HKDF", "hashes.SHA256", "os.urandom"),
        ("chassis/fields.py", "chassis/keyring.py"),
    ),
    Mechanism(
        "HMAC-SHA-256; HKDF-SHA-256 per service and field",
        "blind indexes, one-time codes, keyed fingerprints, MAC of usage and representation rows",
        "256", "`index_key` of the field keyring",
        "none in place: a new key means indexing anew (docs/decisions)", "FIPS 198-1, RFC 5869",
        ("HMAC", "HKDF", "hashes.SHA256", "hmac.compare_digest"), ("chassis/fields.py",),
    ),
    Mechanism(
        "HMAC-SHA-256", "keys of rate limits, so that a table of them names nobody", "256",
        "derived from the blind-index key", "with the index key", "FIPS 198-1",
        ("hmac.new", "hashlib.sha256"), ("chassis/limits.py",),
    ),
    Mechanism(
        "ECDSA P-256 with SHA-256 (ES256)",
        "bearer tokens of persons, receipts, archive manifests, terminal assertions, presentation codes", "256",
        "`token_key`, `presentation_key` (PEM, secret files); terminals keep theirs; public halves in JWKS files",
        "`tongban keys rotate --what token`: published first, `exp` on the old one, receipts verify for ever",
        "RFC 7515, 7517, 7518, 7519, 8725",
        ("joserfc.*", "hashlib.sha256", "hmac.compare_digest"),
        (
            "chassis/auth/*", "cli/clients/kiosk.py", "cli/verification/*", "services/certs/*", "services/intake/*",
            "deploy/making/*", "cli/keeping/*", "cli/local/*",
        ),
    ),
    Mechanism(
        "ECDH-ES on P-256 with AES-256-GCM (JWE), ECDSA P-256 with SHA-256 (ES256)",
        "what registries tell each other: signed by its issuer, its personal part encrypted for one recipient", "256",
        "`registry_key`, `replica_key`, `registry_tls_key` (PEM, secret files of certs); public halves in peer files",
        "replace the file and exchange peer files anew (docs/federation.md); the fingerprint is compared by people",
        "RFC 7515, 7516, 7518 4.6, 8785",
        ("joserfc.*", "hashlib.sha256"),
        ("chassis/auth/secrecy.py", "services/certs/federated/*", "services/certs/usecases/federation/*"),
    ),
    Mechanism(
        "TLS 1.2 and 1.3, mutual", "every call between services, departments, terminals, bus, metrics door", "–",
        "certificate and key files, authority of the deployment",
        "replace the files: servers and clients show the new ones from the next connection or call on",
        "RFC 8446, 5246, 5280",
        ("ssl.*", "grpc.*", "load_pem_private_key"),
        (
            "chassis/rpc/*", "chassis/renewing_tls.py", "chassis/web/serve.py", "chassis/web/client.py", "chassis/bus/kafka/*", "chassis/egress/*", "chassis/telemetry.py",
            "cli/clients/door.py", "cli/reach.py", "cli/local/*", "deploy/ready.py", "cli/keeping/*",
            "services/seal/clients/stamping_places.py",
        ),
    ),
    Mechanism(
        "TLS 1.2 and 1.3", "calls that leave us: short-message gateways, mail server, identity platform, object store, others' time stamps", "–",
        "authorities of the system, or the PEM file of a setting", "replace the file and restart",
        "RFC 8446, 5246, 8314",
        ("ssl.*",), (
            "services/notify/app.py", "services/notify/clients/*", "services/intake/wiring.py",
            "services/seal/clients/stamping_places.py",
        ),
    ),
    Mechanism(
        "ECDSA P-256 with SHA-256, X.509", "authority and identities of a deployment", "256",
        "certificates folder of the deployment, owner only", "leaves are renewed before their end",
        "RFC 5280, FIPS 186-5",
        ("ec.*", "hashes.SHA256", "serialization.*"), ("cli/local/authority.py", "cli/local/jobs.py", "deploy/making/*", "cli/federation/agreeing.py"),
    ),
    Mechanism(
        "SM2 with SM3 (libcrypto), ECDSA P-256 with SHA-256 for foreign seals",
        "electronic seals, certificates, status lists, the hash chain of the seal ledger", "256",
        "signing side: database, wrapped, opened in the signer only, or ECDSA in its token; maker: a directory of its own, wrapped",
        "a new seal per term; old seals verify as of their time",
        "GM/T 0003-2012, GB/T 32918, GB/T 32905-2016, GB/T 38540-2020",
        ("libcrypto.*", "ec.*", "hashes.*", "Encoding", "NoEncryption", "PrivateFormat", "PublicFormat",
         "load_der_private_key", "load_der_public_key", "secrets.randbits", "hashlib.*"),
        ("services/seal/*",),
    ),
    Mechanism(
        "AES-256-GCM; HKDF-SHA-256", "private keys of authorities, of the maker and for time stamping, each bound to its id",
        "256, from a secret of at least 32 characters", "secret file of one side only",
        "`tongban keys rotate|rewrap|retire --what keystore`", "NIST SP 800-38D, RFC 5869",
        ("AESGCM", "HKDF", "hashes.SHA256", "os.urandom"), ("services/seal/keystore.py",),
    ),
    Mechanism(
        "AES-256-GCM, ECDSA P-256 in a PKCS#11 token", "private keys of authorities where the signer has a token", "256, 256",
        "the token, not extractable; its PIN with the signer only",
        "`new-token-key`, `tongban keys rewrap --what keystore`, `drop-token-keys`", "PKCS #11, NIST SP 800-38D, FIPS 186-5",
        ("pkcs11.*", "os.urandom"), ("services/seal/signer/token_*",),
    ),
    Mechanism(
        "HPKE: X25519, HKDF-SHA-256, AES-128-GCM; AES-256-GCM for the way back",
        "a reviewer's name on its way from the signing side to the maker and back inside the seal", "256; 128, 256",
        "maker: its own directory, wrapped; the key for the way back: the application, under the field keys",
        "a new key pair in the maker's keystore; the field keys as everywhere", "RFC 9180, RFC 7748, NIST SP 800-38D",
        ("X25519*", "AEAD", "KDF", "KEM", "Suite", "AESGCM", "os.urandom"), ("services/seal/domain/letters.py",),
    ),
    Mechanism(
        "Ed25519", "manifests of backups", "256", "backup signing key (PEM); the verifying key is with the operator",
        "a new pair; keep the old verifying key as long as its backups", "RFC 8032",
        ("Ed25519*", "serialization.*"), ("cli/operations/*",),
    ),
    Mechanism(
        "HMAC-SHA-256", "the salt of a leaf's digest of the sealed document, so that it tells nothing of the leaf's own",
        "128", "the leaf's random salt, deleted with the licence's content",
        "none: a salt serves one leaf", "FIPS 198-1",
        ("hmac.digest",), ("services/certs/domain/log/leaves.py",),
    ),
    Mechanism(
        "Ed25519; SHA-256 in the tree", "checkpoints of the transparency log, cosignatures of its witnesses", "256",
        "`log_key` (PEM, secret file of certs); a witness keeps its own; public halves as C2SP verifier keys",
        "a new key is told to witnesses and auditors beforehand; old checkpoints verify with the old one for ever",
        "RFC 8032, RFC 9162, C2SP signed-note, tlog-checkpoint, tlog-cosignature",
        ("Ed25519*", "Encoding", "NoEncryption", "PrivateFormat", "load_pem_private_key", "hashlib.sha256"),
        ("chassis/tlog/*",),
    ),
    Mechanism(
        "age: X25519, HKDF-SHA-256, ChaCha20-Poly1305", "content of backups", "256",
        "identity with the operator, never on the machine", "a new recipient for later backups",
        "age-encryption.org/v1, RFC 7748, 8439",
        ("pyrage.*",), ("cli/operations/*", "cli/commands/backup.py", "cli/commands/restore.py"),
    ),
    Mechanism(
        "ECDSA P-256 with SHA-256", "bundles for machines without a network", "256",
        "key of whoever builds the bundle", "with each release line", "FIPS 186-5",
        ("ec.*", "hashes.SHA256", "serialization.*", "Prehashed", "hashlib.*"), ("deploy/airgap/*",),
    ),
    Mechanism(
        "SHA-256, SM3 for archives and seals",
        "content addresses, digests in events and manifests, ids of equal things; no secret is guarded by them",
        "–", "–", "–", "FIPS 180-4, GB/T 32905-2016",
        ("hashlib.sha256", "hashlib.file_digest", "hashlib.new"), ANYWHERE,
    ),
    Mechanism(
        "the operating system's random source", "ids, nonces, passwords, use-codes, serial numbers", "≥ 128",
        "–", "–", "–", ("secrets.*", "os.urandom"), ANYWHERE,
    ),
    Mechanism(
        "comparison in constant time", "codes and keyed digests", "–", "–", "–", "–",
        ("hmac.compare_digest",), ANYWHERE,
    ),
)  # fmt: skip
KNOWN_WEAK = ("hashlib.md5", "hashlib.sha1", "hashes.MD5", "hashes.SHA1", "modes.ECB", "algorithms.TripleDES")


def covered(name: str, place: str) -> list[Mechanism]:
    """Return the declarations that a use falls under."""
    return [
        each
        for each in MECHANISMS
        if any(fnmatchcase(name, pattern) for pattern in each.names)
        and any(fnmatchcase(place, pattern) for pattern in each.places)
    ]


def undeclared() -> list[str]:
    """Return the uses that no declaration covers, as ``name in file``, and weak primitives wherever they are."""
    every = [(name, place) for name, places in uses().items() for place in places]
    return sorted(
        f"{name} in {place}" for name, place in every if name in KNOWN_WEAK or not covered(name, place)
    )


def unused() -> list[str]:
    """Return the declared names that the code does not use."""
    return [
        f"{each.algorithm}: {pattern}"
        for each in MECHANISMS
        for pattern in each.names
        if not any(fnmatchcase(name, pattern) for name, _ in _uses_of(each))
    ]


def inventory_page() -> str:
    """Return the document."""
    lines = [
        f"{NOTICE}\n# Inventory of cryptography\n",
        "What is used, for what, where its keys are and how they are changed (ASVS 11.1.2). The files are found in",
        "the code; a primitive that stands in none of these rows fails the build. Private keys and secrets are files,",
        "never settings with defaults; nothing here is written by hand, the algorithms come from `cryptography`,",
        "`joserfc`, `pyrage`, gRPC and OpenSSL's libcrypto.\n",
        "| Algorithm | Purpose | Key bits | Kept | Rotation | Standard | Used in |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in MECHANISMS:
        places = sorted({place for _, place in _uses_of(each)})
        shown = (
            f"{len(places)} files"
            if each.places == ANYWHERE
            else "<br>".join(f"`{place}`" for place in places)
        )
        cells = (each.algorithm, each.purpose, each.key_bits, each.kept, each.rotation, each.standard, shown)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _uses_of(mechanism: Mechanism) -> list[tuple[str, str]]:
    return [
        (name, place)
        for name, places in uses().items()
        for place in places
        if mechanism in covered(name, place)
    ]
