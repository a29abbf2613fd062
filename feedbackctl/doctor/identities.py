"""The sending identities of the Region, read in batches."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from feedbackctl.doctor.facts import Facts
from ses_feedback.aws.batches import batched
from ses_feedback.settings import LANES

_BATCH = 100
"""https://docs.aws.amazon.com/ses/latest/APIReference/API_GetIdentityNotificationAttributes.html"""
_QUERIES = 10
"""https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_BatchGetMetricData.html"""
_DEFAULT_SETS = (2, 5)
"""Least and largest number of identities whose default set is read without `--identity`; in between a tenth of all.
There is no batch call for it, and SES allows one call a second: https://docs.aws.amazon.com/ses/latest/dg/quotas.html"""
_SENDERS = 100
"""Identities of which the virtual deliverability manager is asked whether they sent."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A sending identity. `topics` has the notification topics by kind: `Bounce`, `Complaint` or `Delivery`."""

    name: str
    is_domain: bool
    verification: str
    topics: Mapping[str, str]
    forwarding: bool
    dkim: Mapping[str, Any]
    mail_from: Mapping[str, Any]

    @property
    def is_verified(self) -> bool:
        """True if SES accepts email from this identity."""
        return self.verification == "SUCCESS"

    def own_topics(self, facts: Facts) -> set[str]:
        """Return the kinds of feedback that this identity publishes to a topic of the stack."""
        own = set(facts.topics.values())
        return {kind for kind, topic in self.topics.items() if topic in own}


def read_identities(facts: Facts) -> list[Identity]:
    """Return the identities: those that the operator named and that exist, or all.

    Raises:
        ReadError: SES cannot be read.

    """
    listed = facts.reader.read_pages("sesv2", "list_email_identities", "EmailIdentities", PageSize=1000)
    chosen = [each for each in listed if not facts.identities or each["IdentityName"] in facts.identities]
    found: list[Identity] = []
    for batch in batched(chosen, _BATCH):
        found += _read_batch(facts, batch)
    return found


def read_default_sets(facts: Facts) -> dict[str, str]:
    """Return the default configuration sets by identity; an empty text is none.

    Only these identities are read: those that the operator named, or those that sent in 24 hours if the virtual
    deliverability manager counts them, or the first few without all topics of the stack.

    Raises:
        ReadError: SES cannot be read.

    """
    verified = [identity for identity in read_identities(facts) if identity.is_verified]
    known = len(verified)
    if not facts.identities:
        incomplete = [identity for identity in verified if len(identity.own_topics(facts)) < len(LANES)]
        sent = _find_senders(facts, [identity.name for identity in verified])
        verified = [identity for identity in verified if identity.name in sent] or incomplete
        verified = verified[: min(max(_DEFAULT_SETS[0], known // 10), _DEFAULT_SETS[1])]
    return {
        identity.name: facts.reader.read("sesv2", "get_email_identity", EmailIdentity=identity.name).get(
            "ConfigurationSetName", ""
        )
        for identity in verified
    }


def _read_batch(facts: Facts, batch: Iterable[Mapping[str, Any]]) -> list[Identity]:
    listed = list(batch)
    names = [each["IdentityName"] for each in listed]

    def read(operation: str, field: str) -> Mapping[str, Mapping[str, Any]]:
        response: Mapping[str, Mapping[str, Any]] = facts.reader.read("ses", operation, Identities=names)[field]
        return response

    notifications = read("get_identity_notification_attributes", "NotificationAttributes")
    dkim = read("get_identity_dkim_attributes", "DkimAttributes")
    mail_from = read("get_identity_mail_from_domain_attributes", "MailFromDomainAttributes")
    return [
        Identity(
            name,
            "@" not in name,
            each.get("VerificationStatus", ""),
            {kind: topic for kind in LANES if (topic := notifications.get(name, {}).get(f"{kind}Topic"))},
            notifications.get(name, {}).get("ForwardingEnabled", True),
            dkim.get(name, {}),
            mail_from.get(name, {}),
        )
        for name, each in zip(names, listed, strict=True)
    ]


def _find_senders(facts: Facts, names: list[str]) -> set[str]:
    """Return the identities that sent in 24 hours, or none if the virtual deliverability manager is off.

    https://docs.aws.amazon.com/ses/latest/dg/vdm.html
    """
    vdm = facts.reader.read("sesv2", "get_account").get("VdmAttributes", {})
    if vdm.get("VdmEnabled") != "ENABLED":
        return set()
    end = facts.now.replace(minute=0, second=0, microsecond=0)
    senders: set[str] = set()
    for batch in batched(names[:_SENDERS], _QUERIES):
        queries = [
            {
                "Id": f"q{number}",
                "Namespace": "VDM",
                "Metric": "SEND",
                "Dimensions": {"EMAIL_IDENTITY": name},
                "StartDate": end.replace(hour=0),
                "EndDate": end,
            }
            for number, name in enumerate(batch)
        ]
        results = facts.reader.read("sesv2", "batch_get_metric_data", Queries=queries).get("Results", [])
        senders |= {list(batch)[int(each["Id"][1:])] for each in results if sum(each.get("Values", []))}
    return senders
