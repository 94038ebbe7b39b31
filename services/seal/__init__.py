"""seal: makes e-seals (电子印章), seals OFD documents with them and says check by check whether a sealing holds.

Publishes: SealApplied, SealApplicationDecided, SealMade, SealStatusChanged, DocumentSealed, SealingRefused, LicencePdfSealed, LicencePdfRefused
Consumes: LicenceMade, LicencePdfMade
Answers: SealService, SignatureService, VerificationService, and as its signer process SignerService
Asks: LicenceService, SignerService (its own other process, over a unix socket)
Stores: applications for seals (names of persons encrypted), seals with their history, the authorities' private keys
  (encrypted), the chained ledger of seal uses, its time-stamped points, sealed documents (encrypted), certificates,
  revocation lists and seal-status lists

Beside it runs the time-stamping authority (`services.seal.tsa`), RFC 3161 over mutual TLS, which stores its own keys
(encrypted) and nothing else; every seal carries a token of it or of another authority.

Standards: GB/T 38540-2020 (seals and signatures), GB/T 33190-2016 (OFD), GB/T 32918 and 32905 (SM2, SM3),
RFC 3161 and 5816 (time stamps),
国办发〔2025〕33号 (making apart from signing, state of a seal at the time of signing).
"""
