"""What it means: the table from what SES says to a verdict, and `judge`, which rate_limiter feedback into facts.

`POLICY` is read from top to bottom; the first rule that fits decides. The README's table is generated from it.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType

from ses_feedback.immutable import Struct
from ses_feedback.judging.facts import ListReason, Verdict
from ses_feedback.reading.ses_events import (
    fold,
)


class Trait(StrEnum):
    """What must also be true for a rule to fit."""

    AUTO_REPLY = "recipient has no action, status or diagnosticCode"
    SEVERAL = "names several recipients"
    UNSUBSCRIBE_ALL = "unsubscribeAll"


class AmbiguousComplaint(StrEnum):
    """What becomes of a complaint that names several recipients (the stack's `AmbiguousComplaint`)."""

    UNSUBSCRIBE = "unsubscribe"
    NOTE = "note"


class Rule(Struct, frozen=True):
    """One row of the policy table.

    A rule fits feedback of its `kind` whose type is one of `types` and sub type one of `sub_types` (an empty tuple:
    any, none, or one SES has not told us of) and that has its `trait`. For a bounce these are bounceType and
    bounceSubType, for a complaint complaintSubType and complaintFeedbackType.
    """

    name: str
    kind: str
    verdict: Verdict
    effect: str
    metric: str = ""
    types: tuple[str, ...] = ()
    sub_types: tuple[str, ...] = ()
    trait: Trait | None = None
    listed: ListReason | None = None

    def fits(self, kind: str, type_: str, sub_type: str, traits: frozenset[Trait]) -> bool:
        """Say whether this rule fits; `type_` and `sub_type` are folded (`feedback.fold`)."""
        return (
            self.kind == kind
            and (not self.types or type_ in map(fold, self.types))
            and (not self.sub_types or sub_type in map(fold, self.sub_types))
            and (self.trait is None or self.trait in traits)
        )


POLICY: tuple[Rule, ...] = (
    # --- Bounces -----------------------------------------------------------------------------------------------
    # SES did not send: the address is on this account's list already. Says nothing new about the mailbox.
    Rule(
        name="bounce-on-account-suppression-list",
        kind="Bounce",
        types=("Permanent",),
        sub_types=("OnAccountSuppressionList",),
        verdict=Verdict.ECHO,
        listed=ListReason.BOUNCE,
        metric="SuppressionEcho",
        effect="`listed` = BOUNCE; not in any rate; no SES call",
    ),
    # SES did not send: a tenant's list, or SES's own guess about the address. Neither is evidence for the account.
    Rule(
        name="bounce-not-attempted",
        kind="Bounce",
        types=("Permanent",),
        sub_types=("OnTenantSuppressionList", "EmailValidationSuppressed"),
        verdict=Verdict.NOTE,
        metric="SuppressionEcho",
        effect="history only; not in any rate",
    ),
    # SES did not send: the recipient opted out of the contact list. An opt-out, not a dead address.
    Rule(
        name="bounce-unsubscribed-recipient",
        kind="Bounce",
        types=("Permanent",),
        sub_types=("UnsubscribedRecipient",),
        verdict=Verdict.UNSUBSCRIBE,
        metric="SuppressionEcho",
        effect="`unsubscribed_at`; not a dead address; not in any rate",
    ),
    # A hard bounce. A sub type AWS adds later is still Permanent: not mailing is the safe side.
    Rule(
        name="bounce-permanent",
        kind="Bounce",
        types=("Permanent",),
        verdict=Verdict.SUPPRESS,
        metric="PermanentBounce",
        effect="`bounced_at`",
    ),
    # The message's fault, not the address's.
    Rule(
        name="bounce-message-refused",
        kind="Bounce",
        types=("Transient",),
        sub_types=("MessageTooLarge", "ContentRejected", "AttachmentRejected", "CustomTimeoutExceeded"),
        verdict=Verdict.NOTE,
        metric="TransientBounce",
        effect="history only: the message's fault, not the address's",
    ),
    # SES reports out-of-fixture replies as Transient/General, without what only a DSN can say.
    Rule(
        name="bounce-auto-reply",
        kind="Bounce",
        types=("Transient",),
        sub_types=("General",),
        trait=Trait.AUTO_REPLY,
        verdict=Verdict.NOTE,
        metric="TransientBounce",
        effect="history only: an auto-reply",
    ),
    # A soft bounce, published when SES stopped trying. Dead mailboxes come as these too, hence soft_bounce_days.
    Rule(
        name="bounce-transient",
        kind="Bounce",
        types=("Transient",),
        verdict=Verdict.SOFT_BOUNCE,
        metric="TransientBounce",
        effect="one soft_bounce per UTC day",
    ),
    # Too little information to act on.
    Rule(
        name="bounce-undetermined",
        kind="Bounce",
        types=("Undetermined",),
        verdict=Verdict.NOTE,
        metric="UndeterminedBounce",
        effect="history only",
    ),
    Rule(
        name="bounce-of-unknown-type",
        kind="Bounce",
        verdict=Verdict.NOTE,
        metric="UndeterminedBounce",
        effect="history only; counts `UnrecognizedFeedback`",
    ),
    # --- Complaints --------------------------------------------------------------------------------------------
    # SES did not send: a complaint put the address on this account's list. Not a new complaint.
    Rule(
        name="complaint-on-account-suppression-list",
        kind="Complaint",
        types=("OnAccountSuppressionList",),
        verdict=Verdict.ECHO,
        listed=ListReason.COMPLAINT,
        metric="SuppressionEcho",
        effect="`listed` = COMPLAINT; not in any rate; no SES call",
    ),
    Rule(
        name="complaint-on-tenant-suppression-list",
        kind="Complaint",
        types=("OnTenantSuppressionList",),
        verdict=Verdict.NOTE,
        metric="SuppressionEcho",
        effect="history only; not in any rate",
    ),
    # The recipient says it is not spam; or a machine reports on authentication. Nobody complained.
    Rule(
        name="complaint-nobody-complained",
        kind="Complaint",
        sub_types=("not-spam", "auth-failure"),
        verdict=Verdict.NOTE,
        effect="history only: nobody complained",
    ),
    # Providers redact who complained; SES then names everybody at that domain the message went to.
    Rule(
        name="complaint-several-recipients",
        kind="Complaint",
        trait=Trait.SEVERAL,
        verdict=Verdict.UNSUBSCRIBE,
        metric="Complaint",
        effect="`unsubscribed_at` of each (`AmbiguousComplaint` = unsubscribe, the default) or history only (= note)",
    ),
    # Any other feedback type, or none: a complaint. Losing one can cost the account.
    Rule(
        name="complaint",
        kind="Complaint",
        verdict=Verdict.COMPLAIN,
        metric="Complaint",
        effect="`complained_at`: unsubscribed everywhere",
    ),
    # --- Everything else ---------------------------------------------------------------------------------------
    Rule(
        name="delivery",
        kind="Delivery",
        verdict=Verdict.DELIVERED,
        metric="Delivery",
        effect="`delivered_on`, to the day; clears older soft_bounce_days",
    ),
    Rule(
        name="subscription-unsubscribe-all",
        kind="Subscription",
        trait=Trait.UNSUBSCRIBE_ALL,
        verdict=Verdict.UNSUBSCRIBE,
        metric="Subscription",
        effect="`unsubscribed_at`",
    ),
    # Topics are the application's business; only a whole opt-out stops all mail.
    Rule(name="subscription", kind="Subscription", verdict=Verdict.COUNT, metric="Subscription", effect="metrics only"),
    Rule(name="send", kind="Send", verdict=Verdict.COUNT, metric="Send", effect="metrics only"),
    Rule(name="reject", kind="Reject", verdict=Verdict.COUNT, metric="Reject", effect="metrics only"),
    Rule(
        name="rendering-failure",
        kind="RenderingFailure",
        verdict=Verdict.COUNT,
        metric="RenderingFailure",
        effect="metrics only",
    ),
    Rule(
        name="delivery-delay",
        kind="DeliveryDelay",
        verdict=Verdict.COUNT,
        metric="DeliveryDelay",
        effect="metrics only",
    ),
    Rule(name="open", kind="Open", verdict=Verdict.COUNT, metric="Open", effect="metrics only"),
    Rule(name="click", kind="Click", verdict=Verdict.COUNT, metric="Click", effect="metrics only"),
    Rule(
        name="notice",
        kind="Notice",
        verdict=Verdict.IGNORE,
        metric="IgnoredMessage",
        effect="counted as `IgnoredMessage`",
    ),
)

KNOWN_TYPES: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "Bounce": {
            "Permanent": (
                "General",
                "NoEmail",
                "Suppressed",
                "OnAccountSuppressionList",
                "OnTenantSuppressionList",
                "UnsubscribedRecipient",
                "EmailValidationSuppressed",
            ),
            "Transient": (
                "General",
                "MailboxFull",
                "MessageTooLarge",
                "ContentRejected",
                "AttachmentRejected",
                "CustomTimeoutExceeded",
            ),
            "Undetermined": ("Undetermined",),
        },
        "Complaint": {
            "OnAccountSuppressionList": (),
            "OnTenantSuppressionList": (),
            "": ("abuse", "auth-failure", "fraud", "not-spam", "other", "virus"),
        },
    },
)
"""kind → type → sub types SES documents. Anything else is judged all the same, and counts as `UnrecognizedFeedback`."""


@lru_cache(maxsize=512)
def find_rule(kind: str, type_: str = "", sub_type: str = "", traits: frozenset[Trait] = frozenset()) -> Rule:
    """Return the first rule of `POLICY` that fits; `type_` and `sub_type` are folded."""
    return next(rule for rule in POLICY if rule.fits(kind, type_, sub_type, traits))
