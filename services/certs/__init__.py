"""certs: the electronic-licence registry (电子证照库) that every county relies on.

Publishes: LicenceImported, LicenceMade, LicenceIssued, LicenceStatusChanged, LicenceUsed, LicenceInspectionChanged, LicenceErased, LicencePdfMade, RelianceFell, DisputeOpened, DisputeDecided, ReplicaSent
Consumes: CaseSubmitted, PartDecided, CaseWithdrawn, CaseClosed, DocumentSealed, SealingRefused, LicencePdfSealed, LicencePdfRefused, ReplicaSent
Answers: LicenceService, LicenceLifeService, LicenceImportService, SourceService, LicenceTypeService, UseCodeService, EvidenceService, ConfirmationService, PresentationService, TransparencyService, RelianceService, DisputeService, StandingService, HolderService, FederationService
Asks: IssuingService, SignatureService, VerificationService, SealService, FederationService
Stores: licences with their history, use-codes (digests only), the usage record, presentations, documents with their PDFs, the transparency log, reliances and their flags, disputes, replicas

Standards: GB/T 36901 to 36906, GB/T 33190; Administrative Licensing Law 69 and 70; Personal Information
Protection Law 13, 14, 44 and 51; RFC 9162, C2SP tlog-checkpoint.
"""
