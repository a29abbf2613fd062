"""The policy: a table from SES events to verdicts.

`POLICY` is read from top to bottom; the first rule that applies decides. docs/explain/policy.md is generated from it.
Fields of the events: https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html and
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType

from ses_feedback.immutable import Struct
from ses_feedback.judging.facts import Register, Verdict
from ses_feedback.reading.names import normalize_name


class Trait(StrEnum):
    """Further condition of a rule."""

    AUTO_REPLY = "recipient has no action and no status"
    NOT_FAILED = "recipient's action is delayed, relayed, delivered or expanded, and its status is not 5.x.x"
    NAMELESS = "no usable recipient, and the email had exactly one"
    FORWARDED = "recipient is not one of the email's; the email had exactly one, in another domain"
    MEMBER_GONE = "recipient is not one of the email's; the email had exactly one, in the same domain"
    DECLARED_STREAM = "configuration set is one of `Streams`"
    SEVERAL = "names several recipients"
    UNSUBSCRIBE_ALL = "unsubscribeAll"
    SUBSCRIBE_ALL = "unsubscribeAll was true and is false"
    OPT_OUT = "a topic in `Streams` changed to OptOut"
    OPT_IN = "a topic in `Streams` changed to OptIn"
    NAMED_STREAM = "stream is one of `Streams`"


class AmbiguousComplaint(StrEnum):
    """Handling of a complaint that names several recipients (the stack's parameter `AmbiguousComplaint`)."""

    UNSUBSCRIBE = "unsubscribe"
    NOTE = "note"


class PolicyOptions(Struct, frozen=True):
    """The stack's choices that change verdicts. `streams` are the declared streams (parameter `Streams`)."""

    ambiguous_complaint: AmbiguousComplaint = AmbiguousComplaint.UNSUBSCRIBE
    streams: frozenset[str] = frozenset()


class Rule(Struct, frozen=True):
    """One row of the policy table.

    A rule applies to events of its `kind` with one of its `types`, one of its `sub_types` and its `trait`. An empty
    tuple means any type, none, or one that SES has not documented. For a bounce these are bounceType and
    bounceSubType, for a complaint complaintSubType and complaintFeedbackType. `register` is the contact's register
    that a fact is merged into. `ses_text` is True if SES itself writes the recipient's address, not a mail server.
    """

    name: str
    kind: str
    verdict: Verdict
    effect: str
    metric: str = ""
    types: tuple[str, ...] = ()
    sub_types: tuple[str, ...] = ()
    trait: Trait | None = None
    register: Register = Register.NONE
    ses_text: bool = False

    def applies(self, kind: str, type_: str, sub_type: str, traits: frozenset[Trait]) -> bool:
        """True if this rule applies; `type_` and `sub_type` are normalized names (`names.normalize_name`)."""
        return (
            self.kind == kind
            and (not self.types or type_ in map(normalize_name, self.types))
            and (not self.sub_types or sub_type in map(normalize_name, self.sub_types))
            and (self.trait is None or self.trait in traits)
        )


POLICY: tuple[Rule, ...] = (
    # --- Bounces -----------------------------------------------------------------------------------------------
    # SES did not send: the address is on the account's own list. This says nothing new about the mailbox.
    # https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html
    Rule(
        name="bounce-on-account-suppression-list",
        kind="Bounce",
        types=("Permanent",),
        sub_types=("OnAccountSuppressionList",),
        verdict=Verdict.ECHO,
        register=Register.LISTED_BOUNCE,
        metric="SuppressionEcho",
        effect="`listed_bounce`: counts if no first-hand bounce does; not in any rate; no SES call",
        ses_text=True,
    ),
    # SES did not send: a tenant's list, or SES's own estimate of the address. Neither is evidence for the account.
    # https://docs.aws.amazon.com/ses/latest/dg/email-validation.html
    Rule(
        name="bounce-not-attempted",
        kind="Bounce",
        types=("Permanent",),
        sub_types=("OnTenantSuppressionList", "EmailValidationSuppressed"),
        verdict=Verdict.NOTE,
        metric="SuppressionEcho",
        effect="history only; not in any rate",
        ses_text=True,
    ),
    # SES did not send: the recipient opted out of a topic of an SES contact list, which SES enforces by itself.
    # https://docs.aws.amazon.com/ses/latest/dg/sending-email-subscription-management.html
    Rule(
        name="bounce-unsubscribed-from-stream",
        kind="Bounce",
        types=("Permanent",),
        sub_types=("UnsubscribedRecipient",),
        trait=Trait.DECLARED_STREAM,
        verdict=Verdict.UNSUBSCRIBE,
        register=Register.UNSUBSCRIBED_FROM,
        metric="UnsubscribedRecipient",
        effect="`unsubscribed_from` that stream; not in any rate",
        ses_text=True,
    ),
    Rule(
        name="bounce-unsubscribed-recipient",
        kind="Bounce",
        types=("Permanent",),
        sub_types=("UnsubscribedRecipient",),
        verdict=Verdict.NOTE,
        metric="UnsubscribedRecipient",
        effect="history only: SES enforces its topic by itself; not in any rate",
        ses_text=True,
    ),
    # A DSN action other than `failed` is no failure of the recipient. https://www.rfc-editor.org/rfc/rfc3464#section-2.3.3
    Rule(
        name="bounce-recipient-did-not-fail",
        kind="Bounce",
        trait=Trait.NOT_FAILED,
        verdict=Verdict.NOTE,
        metric="TransientBounce",
        effect="history only: the recipient did not fail",
    ),
    # The name comes from a DSN, which any receiver of the email can forge: the named address is never judged.
    # https://www.rfc-editor.org/rfc/rfc3464#section-4
    Rule(
        name="bounce-forwarded",
        kind="Bounce",
        trait=Trait.FORWARDED,
        verdict=Verdict.SOFT_BOUNCE,
        register=Register.SOFT_BOUNCES,
        metric="UnmatchedRecipient",
        effect="one soft-bounce day for the email's only recipient, reason `… (forwarded)`; nothing for the name",
    ),
    Rule(
        name="bounce-member-gone",
        kind="Bounce",
        trait=Trait.MEMBER_GONE,
        verdict=Verdict.NOTE,
        metric="UnmatchedRecipient",
        effect="history of the email's only recipient: a member of this address is gone; nothing for the name",
    ),
    # SES did not send: the address is on SES's global list. Counted in the account's bounce rate.
    # https://docs.aws.amazon.com/ses/latest/dg/sending-email-global-suppression-list.html
    Rule(
        name="bounce-on-global-suppression-list",
        kind="Bounce",
        types=("Permanent",),
        sub_types=("Suppressed",),
        verdict=Verdict.SUPPRESS,
        register=Register.GLOBALLY_SUPPRESSED,
        metric="PermanentBounce",
        effect="`globally_suppressed`: shown if no first-hand bounce counts",
        ses_text=True,
    ),
    # `NoEmail` can mean that the recipient could not be read from the bounce: one such day may be a mistake.
    Rule(
        name="bounce-nameless",
        kind="Bounce",
        types=("Permanent",),
        trait=Trait.NAMELESS,
        verdict=Verdict.SOFT_BOUNCE,
        register=Register.NAMELESS,
        metric="PermanentBounce",
        effect="`nameless`: one soft-bounce day; bounced on the second UTC day",
    ),
    # A hard bounce. A subtype that AWS adds later is still Permanent: to stop mail is the safe choice.
    Rule(
        name="bounce-permanent",
        kind="Bounce",
        types=("Permanent",),
        verdict=Verdict.SUPPRESS,
        register=Register.BOUNCED,
        metric="PermanentBounce",
        effect="`bounced`",
    ),
    # The fault of the email, not of the address.
    Rule(
        name="bounce-message-refused",
        kind="Bounce",
        types=("Transient",),
        sub_types=("MessageTooLarge", "ContentRejected", "AttachmentRejected", "CustomTimeoutExceeded"),
        verdict=Verdict.NOTE,
        metric="TransientBounce",
        effect="history only: the fault of the email, not of the address",
    ),
    # SES reports out-of-office replies as Transient/General. A DSN has action and status for each recipient, so text
    # alone is no DSN. https://www.rfc-editor.org/rfc/rfc3464#section-2.3
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
    # A soft bounce, published when SES stops retrying. Dead mailboxes are reported this way too.
    Rule(
        name="bounce-transient",
        kind="Bounce",
        types=("Transient",),
        verdict=Verdict.SOFT_BOUNCE,
        register=Register.SOFT_BOUNCES,
        metric="TransientBounce",
        effect="`soft_bounces`: one soft-bounce day per UTC day of emails",
    ),
    # The bounce holds too little information.
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
    # SES did not send: an earlier complaint put the address on the account's list. Not a new complaint.
    Rule(
        name="complaint-on-account-suppression-list",
        kind="Complaint",
        types=("OnAccountSuppressionList",),
        verdict=Verdict.ECHO,
        register=Register.LISTED_COMPLAINT,
        metric="SuppressionEcho",
        effect="`listed_complaint`: counts if no first-hand complaint does; not in any rate; no SES call",
    ),
    Rule(
        name="complaint-on-tenant-suppression-list",
        kind="Complaint",
        types=("OnTenantSuppressionList",),
        verdict=Verdict.NOTE,
        metric="SuppressionEcho",
        effect="history only; not in any rate",
    ),
    # `not-spam`: the recipient says that the email is not spam. `auth-failure`: a report about authentication.
    # https://www.rfc-editor.org/rfc/rfc6591, https://www.iana.org/assignments/marf-parameters
    Rule(
        name="complaint-without-complainer",
        kind="Complaint",
        sub_types=("not-spam", "auth-failure"),
        verdict=Verdict.NOTE,
        effect="history only: no recipient complained",
    ),
    # Providers redact the complainer; SES then names every recipient at that domain.
    # https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#complained-recipients
    Rule(
        name="complaint-several-recipients",
        kind="Complaint",
        trait=Trait.SEVERAL,
        verdict=Verdict.UNSUBSCRIBE,
        register=Register.UNSUBSCRIBED,
        metric="Complaint",
        effect="`unsubscribed` of each (`AmbiguousComplaint` = unsubscribe, the default) or history only (= note)",
    ),
    # Any other feedback type, or none, is a complaint. A lost complaint can cost the account. SES derives complainers
    # from the email's recipients, so a complaint without a recipient is about the only one.
    Rule(
        name="complaint",
        kind="Complaint",
        verdict=Verdict.COMPLAIN,
        register=Register.COMPLAINED,
        metric="Complaint",
        effect="`complained`: no more email of any kind",
    ),
    # --- Everything else ---------------------------------------------------------------------------------------
    Rule(
        name="delivery",
        kind="Delivery",
        verdict=Verdict.DELIVERED,
        register=Register.DELIVERED,
        metric="Delivery",
        effect="`delivered`: clears soft bounces of earlier emails, never of the same email",
    ),
    # https://docs.aws.amazon.com/ses/latest/dg/sending-email-subscription-management.html
    Rule(
        name="subscription-unsubscribe-all",
        kind="Subscription",
        trait=Trait.UNSUBSCRIBE_ALL,
        verdict=Verdict.UNSUBSCRIBE,
        register=Register.UNSUBSCRIBED,
        metric="Subscription",
        effect="`unsubscribed`",
    ),
    Rule(
        name="subscription-subscribe-all",
        kind="Subscription",
        trait=Trait.SUBSCRIBE_ALL,
        verdict=Verdict.SUBSCRIBE,
        register=Register.OPTED_INTO,
        metric="Subscription",
        effect="`opted_into` all email; `unsubscribed_from` each declared stream that is not OptIn",
    ),
    Rule(
        name="subscription-opt-out",
        kind="Subscription",
        trait=Trait.OPT_OUT,
        verdict=Verdict.UNSUBSCRIBE,
        register=Register.UNSUBSCRIBED_FROM,
        metric="Subscription",
        effect="`unsubscribed_from` that stream",
    ),
    Rule(
        name="subscription-opt-in",
        kind="Subscription",
        trait=Trait.OPT_IN,
        verdict=Verdict.SUBSCRIBE,
        register=Register.OPTED_INTO,
        metric="Subscription",
        effect="`opted_into` that stream",
    ),
    # Other topics are the application's own; an unchanged topic changes nothing.
    Rule(name="subscription", kind="Subscription", verdict=Verdict.COUNT, metric="Subscription", effect="metrics only"),
    # --- Messages of applications: docs/operate/streams.md ---------------------------------------------------------
    Rule(
        name="preference-opt-out",
        kind="Preference",
        types=("unsubscribe",),
        trait=Trait.NAMED_STREAM,
        verdict=Verdict.UNSUBSCRIBE,
        register=Register.UNSUBSCRIBED_FROM,
        metric="OptOut",
        effect="`unsubscribed_from` that stream",
    ),
    # An undeclared name means everything: no opt-out may be lost.
    Rule(
        name="preference-unsubscribe",
        kind="Preference",
        types=("unsubscribe",),
        verdict=Verdict.UNSUBSCRIBE,
        register=Register.UNSUBSCRIBED,
        metric="OptOut",
        effect="`unsubscribed`, also if the named stream is not declared",
    ),
    Rule(
        name="preference-opt-in",
        kind="Preference",
        types=("subscribe",),
        trait=Trait.NAMED_STREAM,
        verdict=Verdict.SUBSCRIBE,
        register=Register.OPTED_INTO,
        metric="OptIn",
        effect="`opted_into` that stream",
    ),
    Rule(
        name="preference-subscribe",
        kind="Preference",
        types=("subscribe",),
        verdict=Verdict.SUBSCRIBE,
        register=Register.OPTED_INTO,
        metric="OptIn",
        effect="`opted_into` all email and each declared stream; quarantined if the named stream is not declared",
    ),
    Rule(name="send", kind="Send", verdict=Verdict.COUNT, metric="Send", effect="metrics only"),
    Rule(name="reject", kind="Reject", verdict=Verdict.COUNT, metric="Reject", effect="metrics only"),
    Rule(
        name="rendering-failure",
        kind="RenderingFailure",
        verdict=Verdict.COUNT,
        metric="RenderingFailure",
        effect="metrics, and a log line with the template's name and the kind of error",
    ),
    Rule(
        name="delivery-delay",
        kind="DeliveryDelay",
        verdict=Verdict.COUNT,
        metric="DeliveryDelay",
        effect="metrics only, also by provider",
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
"""Kind → type → subtypes that SES documents. Others are judged too, and counted as `UnrecognizedFeedback`."""


@lru_cache(maxsize=512)
def find_rule(kind: str, type_: str = "", sub_type: str = "", traits: frozenset[Trait] = frozenset()) -> Rule:
    """Return the first rule of `POLICY` that applies; `type_` and `sub_type` are normalized names."""
    return next(rule for rule in POLICY if rule.applies(kind, type_, sub_type, traits))
