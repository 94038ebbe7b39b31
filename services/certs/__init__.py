"""certs: the electronic-licence registry (电子证照库) that every county relies on.

Publishes: LicenceImported, LicenceMade, LicenceIssued, LicenceStatusChanged, LicenceUsed
Consumes: PartDecided, CaseWithdrawn, CaseClosed, DocumentSealed, SealingRefused
Answers: LicenceService, LicenceImportService, UseCodeService, ConfirmationService, PresentationService
Asks: IssuingService, SignatureService, VerificationService
Stores: licences with their history, use-codes (digests only), the usage record, presentations, documents

Standards: GB/T 36901 to 36906, GB/T 33190; Administrative Licensing Law 69 and 70; Personal Information
Protection Law 13, 14, 44 and 51.
"""
