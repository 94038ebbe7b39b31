"""Who may do what, written down once more and by hand: the expected side of the authorisation matrix.

The access options of the protos and the routes' dependencies are what is tested; a method or a route
without a row here fails the build.
"""

from __future__ import annotations

D, OP = "department", "operator"
IN, C, S, N = "intake", "certs", "seal", "notify"

RPC: dict[str, tuple[str, bool]] = {
    # method: callers, whether a person must act
    "certs.ConfirmationService/ConfirmFace": (IN, True),
    "certs.LicenceService/FindLicences": (f"{D} {IN}", False),
    "certs.LicenceService/GetLicence": (f"{D} {IN}", False),
    "certs.LicenceService/GetLicenceDocument": (f"{D} {IN}", False),
    "certs.LicenceService/ChangeLicenceStatus": (D, False),
    "certs.LicenceService/GetUnsealedDocument": (S, False),
    "certs.LicenceImportService/ImportLicences": (f"{D} {OP}", False),
    "certs.PresentationService/CreatePresentation": (IN, True),
    "certs.PresentationService/VerifyPresentation": (f"{D} {IN}", False),
    "certs.PresentationService/GetPresentationKeys": (f"{D} {OP} {IN}", False),
    "certs.UseCodeService/IssueUseCode": (IN, True),
    "certs.UseCodeService/ConsumeUseCode": (D, False),
    "certs.UseCodeService/RevokeUseCodes": (IN, True),
    "certs.UseCodeService/ListUses": (IN, True),
    "intake.ContactService/GetContact": (N, False),
    "intake.IssuingService/GetIssueData": (C, False),
    "intake.PartService/ListParts": (D, False),
    "intake.PartService/GetPart": (D, False),
    "intake.PartService/WatchParts": (D, False),
    "intake.PartService/ListPartChanges": (D, False),
    "intake.PartService/ClaimPart": (D, False),
    "intake.PartService/AcceptPart": (D, False),
    "intake.PartService/RefusePart": (D, False),
    "intake.PartService/RequestSupplement": (D, False),
    "intake.PartService/DecidePart": (D, False),
    "intake.PartService/GetMaterialFile": (D, False),
    "notify.MessageService/SendMessage": (IN, False),
    "notify.MessageService/ListInbox": (IN, True),
    "notify.MessageService/MarkRead": (IN, True),
    "seal.SealService/ListSeals": (f"{D} {OP}", False),
    "seal.SealService/GetSealStatus": (f"{D} {OP} {C} {IN}", False),
    "seal.SealService/ChangeSealStatus": (OP, False),
    "seal.SealService/GetSealPicture": (f"{D} {OP}", False),
    "seal.SealService/ApplyForSeal": (f"{D} {OP}", False),
    "seal.SealService/DecideSealApplication": (OP, False),
    "seal.SealService/WithdrawSealApplication": (f"{D} {OP}", False),
    "seal.SealService/ListSealApplications": (f"{D} {OP}", False),
    "seal.SealService/GetSealApplication": (f"{D} {OP}", False),
    "seal.SealService/ImportSealCertificates": (OP, False),
    "seal.SealService/GetTrustBundle": (f"{D} {OP} {C} {IN}", False),
    "seal.SignatureService/GetSealedDocument": (C, False),
    "seal.SignatureService/ListSealUses": (f"{D} {OP}", False),
    "seal.SignatureService/GetSealUse": (f"{D} {OP}", False),
    "seal.SignatureService/SealDocument": (f"{D} {OP}", False),
    "seal.SignatureService/SealBatch": (f"{D} {OP}", False),
    "seal.SignatureService/ApproveSealUse": (f"{D} {OP}", False),
    "seal.SignatureService/GrantSealUse": (OP, False),
    "seal.SignatureService/WithdrawSealGrant": (OP, False),
    "seal.SignatureService/ListSealGrants": (f"{D} {OP}", False),
    "seal.SignatureService/GetSealRules": (f"{D} {OP}", False),
    "seal.SignatureService/ChangeSealRules": (OP, False),
    "seal.SignerService/GenerateKey": (S, False),
    "seal.SignerService/SignMessage": (S, False),
    "seal.SignerService/RewrapKey": (S, False),
    "seal.SignerService/CheckSigner": (S, False),
    "seal.VerificationService/VerifyDocument": (f"{D} {OP} {C} {IN}", False),
}

ROLES = ("system_administrator", "audit_administrator")
"""系统管理员 and 审计管理员. No method and no route has such a caller: what they do is done by an operator's
command on the machine. Whoever shows one of these roles is refused like anybody else, everywhere.
"""

PUBLIC, SESSION = "public", "session"
OWN_CASE, OWN_LICENCE, OWN_OTHER = "own case", "own licence", "own"
"""Of a route behind a log-in: whose object it names; another citizen's is not found."""

ROUTES: dict[str, str] = {
    "GET /.well-known/jwks.json": PUBLIC,
    "GET /v1/terminals": PUBLIC,
    "POST /v1/sessions": PUBLIC,
    "POST /v1/sessions/{session_id}/resend": PUBLIC,
    "POST /v1/sessions/{session_id}/verify": PUBLIC,
    "GET /v1/sessions/oidc/start": PUBLIC,
    "GET /v1/sessions/oidc/callback": PUBLIC,
    "POST /v1/sessions/current/acting": SESSION,
    "DELETE /v1/sessions/current": SESSION,
    "GET /v1/me": SESSION,
    "PUT /v1/me/email": SESSION,
    "GET /v1/me/organisations": SESSION,
    "POST /v1/me/organisations": SESSION,
    "DELETE /v1/me/organisations/{organisation_id}": OWN_OTHER,
    "GET /v1/catalogue/items": PUBLIC,
    "GET /v1/catalogue/items/{item_id}": PUBLIC,
    "GET /v1/catalogue/items/{item_id}/guide": PUBLIC,
    "GET /v1/catalogue/bundles": PUBLIC,
    "GET /v1/catalogue/bundles/{bundle_id}": PUBLIC,
    "GET /v1/catalogue/bundles/{bundle_id}/guide": PUBLIC,
    "POST /v1/guides": PUBLIC,
    "POST /v1/cases": SESSION,
    "GET /v1/cases": SESSION,
    "GET /v1/cases/{case_id}": OWN_CASE,
    "PUT /v1/cases/{case_id}/form": OWN_CASE,
    "GET /v1/cases/{case_id}/timeline": OWN_CASE,
    "GET /v1/cases/{case_id}/materials": OWN_CASE,
    "PUT /v1/cases/{case_id}/materials/{material_code}": OWN_CASE,
    "POST /v1/cases/{case_id}/materials/{material_code}/file": OWN_CASE,
    "POST /v1/cases/{case_id}/submit": OWN_CASE,
    "POST /v1/cases/{case_id}/supplements": OWN_CASE,
    "POST /v1/cases/{case_id}/withdraw": OWN_CASE,
    "POST /v1/cases/{case_id}/rating": OWN_CASE,
    "GET /v1/cases/{case_id}/archive": OWN_CASE,
    "GET /v1/licences": SESSION,
    "GET /v1/licences/uses": SESSION,
    "POST /v1/licences/{licence_id}/presentation": OWN_LICENCE,
    "GET /v1/licences/{licence_id}/document": OWN_LICENCE,
    "POST /v1/verifications/presentation": PUBLIC,
    "POST /v1/verifications/document": PUBLIC,
    "POST /v1/verifications/receipt": PUBLIC,
    "GET /v1/messages": SESSION,
    "POST /v1/messages/{message_id}/read": SESSION,
}

ITEM, ANY = "as the case's items ask", "any log-in"
LEVELS: dict[str, str] = {
    # of every route behind a log-in: how surely the log-in must have proved who acts
    "POST /v1/sessions/current/acting": ANY,
    "DELETE /v1/sessions/current": ANY,
    "GET /v1/me": ANY,
    "PUT /v1/me/email": ANY,
    "GET /v1/me/organisations": ANY,
    "POST /v1/me/organisations": ANY,
    "DELETE /v1/me/organisations/{organisation_id}": ANY,
    "POST /v1/cases": ITEM,
    "GET /v1/cases": ANY,
    "GET /v1/cases/{case_id}": ANY,
    "PUT /v1/cases/{case_id}/form": ITEM,
    "GET /v1/cases/{case_id}/timeline": ANY,
    "GET /v1/cases/{case_id}/materials": ANY,
    "PUT /v1/cases/{case_id}/materials/{material_code}": ITEM,
    "POST /v1/cases/{case_id}/materials/{material_code}/file": ITEM,
    "POST /v1/cases/{case_id}/submit": ITEM,
    "POST /v1/cases/{case_id}/supplements": ITEM,
    "POST /v1/cases/{case_id}/withdraw": ITEM,
    "POST /v1/cases/{case_id}/rating": ANY,
    "GET /v1/cases/{case_id}/archive": ANY,
    "GET /v1/licences": ANY,
    "GET /v1/licences/uses": ANY,
    "POST /v1/licences/{licence_id}/presentation": ANY,
    "GET /v1/licences/{licence_id}/document": ANY,
    "GET /v1/messages": ANY,
    "POST /v1/messages/{message_id}/read": ANY,
}
