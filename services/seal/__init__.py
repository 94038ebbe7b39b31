"""seal: makes e-seals (电子印章), seals OFD documents with them and says check by check whether a sealing holds.

Publishes: SealMade, SealStatusChanged, DocumentSealed, SealingRefused
Consumes: LicenceMade
Answers: SealService, SignatureService, VerificationService
Asks: LicenceService
Stores: seals with their history, the authorities' private keys (encrypted), the chained ledger of seal uses,
  sealed documents (encrypted), certificates, revocation lists and seal-status lists

Standards: GB/T 38540-2020 (seals and signatures), GB/T 33190-2016 (OFD), GB/T 32918 and 32905 (SM2, SM3),
国办发〔2025〕33号 (making apart from signing, state of a seal at the time of signing).
"""
