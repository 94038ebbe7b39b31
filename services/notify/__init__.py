"""notify: notifications (通知), each sent exactly once per event and channel.

Publishes: MessageSent, MessageFailed
Consumes: CaseSubmitted, SupplementRequested, PartAccepted, PartRefused, PartDecided, PartCompleted, CaseClosed, RectificationOpened
Answers: MessageService
Asks: ContactService
Stores: messages with their rendered text (encrypted), the send ledger, the sandbox provider's outbox

Standards: Personal Information Protection Law art. 6 and 51 (least data, encryption).
"""
