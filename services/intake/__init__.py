"""intake: unified identity, catalogue and one-window intake (统一身份、事项目录、一窗受理).

What happens to one application from here on: docs/life-of-an-application.md.

Publishes: PersonRegistered, CaseSubmitted, PartClaimed, PartAccepted, PartRefused, SupplementRequested, SupplementReceived, PartReviewed, PartDecided, PartCompleted, CaseClosed, CaseWithdrawn, CaseRated, RectificationOpened, CaseArchived
Consumes: LicenceMade, LicenceIssued, LicenceStatusChanged, LicenceUsed, RelianceFell, DocumentSealed, SealingRefused, MessageSent, MessageFailed, CaseClosed
Answers: PartService, IssuingService, ContactService
Asks: LicenceService, EvidenceService, UseCodeService, HolderService, DisputeService, PresentationService, ConfirmationService, VerificationService, MessageService
Stores: persons, log-ins and sessions, cases with their parts and signatures, the departments' change feeds, timelines, entrustments, ratings and rectification orders, archive packages, uploaded files

Standards: Administrative Licensing Law 32, 34, 38, 42, 45 and 82; Civil Code 165, 173 and 201 to 203; GB/T 39554,
GB/T 39734 and 39735, GB/T 42727; Personal Information Protection Law 13, 28, 44 to 46 and 51.
"""
