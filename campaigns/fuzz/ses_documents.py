"""Documents that SES might publish: every kind of event, in both vocabularies, with canaries for all personal data.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from collections.abc import Callable
from random import Random
from typing import Any

from campaigns.fuzz import ses_addresses
from campaigns.fuzz.canaries import MARK, CanaryFactory
from campaigns.fuzz.harness import STREAMS
from tests.support.builders import VOCABULARIES
from tests.support.strategies import BOUNCE_SUB_TYPES, BOUNCE_TYPES, COMPLAINT_SUB_TYPES, FEEDBACK_TYPES

Json = dict[str, Any]

TIMES = (
    *("2026-03-01T12:00:05.000Z",) * 6,
    *("2026-02-20T08:00:00.000Z", "2026-02-21T23:59:59.999Z", "2026-03-01T07:00:05.123-05:00", "2026-03-01T12:00:05Z"),
    *("2026-03-01T12:00:05 +0000", "13:16: 09.222Z", "2026-03-01T12:00: 05.000Z", "2016-12-31T23:59:60.000Z"),
    *("1969-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "2026-02-30T12:00:00Z"),
    *("20260301T120005Z", "2026-W09-7", "2026-03-01", "1772366405", "", "+275760-09-13T00:00:00Z", "T" * 65),
)
"""Timestamps as SES and its documentation write them, and invalid ones."""
CONFIGURATION_SETS = ("receipts", "receipts", "marketing", "none", "other", "not a name", "x" * 64, "x" * 65, MARK)
DETAIL_TYPES = {
    "Bounce": "Email Bounced",
    "Complaint": "Email Complaint Received",
    "Delivery": "Email Delivered",
    "DeliveryDelay": "Email Delivery Delayed",
    "Send": "Email Sent",
    "Reject": "Email Rejected",
    "Rendering Failure": "Email Rendering Failed",
    "Open": "Email Opened",
    "Click": "Email Clicked",
    "Subscription": "Email Subscribed",
}
"""EventBridge's detail-type of each kind of event.

https://docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html
"""


class DocumentGenerator:
    """Generates documents."""

    def __init__(self, rng: Random) -> None:
        """Decide by `rng`."""
        self.rng = rng
        self.canary = CanaryFactory()
        self._recipients: list[str] = []

    def document(self) -> Json:
        """Return a document of any kind, more often of those that change contacts."""
        kind = self.rng.choice(_KINDS)
        self._recipients = ses_addresses.addresses(self.rng)
        build = _OBJECTS.get(kind)
        details = dict([build(self)]) if build else {}
        return {self.rng.choice(VOCABULARIES): kind, "mail": self._mail(), **details}

    def time(self) -> str:
        """Return a timestamp, valid or not."""
        return self.rng.choice(TIMES)

    def _mail(self) -> Json:
        canary, rng = self.canary, self.rng
        mail: Json = {
            "timestamp": self.time(),
            "messageId": rng.choice((self._id(), self._id(), canary("messageId"))),
            "source": canary("source"),
            "sourceArn": f"arn:aws:ses:us-east-1:123456789012:identity/{canary('sourceArn')}",
            "sendingAccountId": "123456789012",
            "destination": ses_addresses.destination(rng, self._recipients),
        }
        if rng.random() < 0.6:
            to = ses_addresses.addresses(rng)
            mail["headers"] = [{"name": canary("header"), "value": canary("value")} for _ in range(rng.randrange(3))]
            mail["commonHeaders"] = {"from": [ses_addresses.address(rng)], "to": to, "subject": canary("subject")}
        if rng.random() < 0.6:
            mail["tags"] = {
                "ses:configuration-set": [rng.choice((*CONFIGURATION_SETS, f"set-{rng.randrange(400)}"))],
                "ses:tenant-name": [canary("tenant")],
                canary("tag"): [canary("tag value")],
            }
        return mail

    def bounce(self) -> tuple[str, Json]:
        """Return the name and the value of a `bounce` object."""
        canary, rng = self.canary, self.rng
        return "bounce", {
            "feedbackId": rng.choice((self._id(), canary("feedbackId"))),
            "bounceType": rng.choice((*BOUNCE_TYPES, canary("bounceType"))),
            "bounceSubType": rng.choice((*BOUNCE_SUB_TYPES, canary("bounceSubType"))),
            "bouncedRecipients": [self._bounced(address) for address in self._recipients],
            "timestamp": self.time(),
            "reportingMTA": f"dns; {canary('reportingMTA')}",
        }

    def _bounced(self, address: str) -> Json:
        action = self.rng.choice(("failed", "failed", "failed", "delayed", "relayed", self.canary("action")))
        dsn = {
            "action": action,
            "status": self.rng.choice(("5.1.1", "4.2.2", "x")),
            "diagnosticCode": self.canary("dsn"),
        }
        return {"emailAddress": address, **(dsn if self.rng.random() < 0.7 else {})}

    def complaint(self) -> tuple[str, Json]:
        """Return the name and the value of a `complaint` object."""
        canary, rng = self.canary, self.rng
        return "complaint", {
            "feedbackId": rng.choice((self._id(), canary("feedbackId"))),
            "complaintSubType": rng.choice((None, None, *COMPLAINT_SUB_TYPES)),
            "complainedRecipients": [{"emailAddress": address} for address in self._recipients],
            "timestamp": self.time(),
            "userAgent": canary("userAgent"),
            "complaintFeedbackType": rng.choice((*FEEDBACK_TYPES, canary("complaintFeedbackType"))),
            "arrivalDate": self.time(),
        }

    def delivery(self) -> tuple[str, Json]:
        """Return the name and the value of a `delivery` object."""
        return "delivery", {
            "timestamp": self.time(),
            "processingTimeMillis": 5,
            "recipients": self._recipients,
            "smtpResponse": self.canary("smtpResponse"),
            "reportingMTA": self.canary("reportingMTA"),
        }

    def subscription(self) -> tuple[str, Json]:
        """Return the name and the value of a `subscription` object, about all email or about topics."""
        return "subscription", {
            "contactList": self.canary("contactList"),
            "timestamp": self.time(),
            "source": "UnsubscribeHeader",
            "newTopicPreferences": self._preferences(),
            **({"oldTopicPreferences": self._preferences()} if self.rng.random() < 0.6 else {}),
        }

    def _preferences(self) -> Json:
        rng = self.rng
        names = rng.sample((*STREAMS, "other-topic", self.canary("topicName")), rng.randrange(4))
        topics = [{"topicName": name, "subscriptionStatus": rng.choice(("OptIn", "OptOut", "x"))} for name in names]
        unsubscribed = rng.choice((True, True, False, False, None, "true", 1))
        return {"unsubscribeAll": unsubscribed, "topicSubscriptionStatus": topics}

    def delay(self) -> tuple[str, Json]:
        """Return the name and the value of a `deliveryDelay` object."""
        return "deliveryDelay", {
            "delayType": self.canary("delayType"),
            "delayedRecipients": [{"emailAddress": address} for address in self._recipients],
            "timestamp": self.time(),
        }

    def click(self) -> tuple[str, Json]:
        """Return the name and the value of a `click` object."""
        return "click", {
            "timestamp": self.time(),
            "link": f"https://example.com/{self.canary('link')}",
            "linkTags": {self.canary("link tag"): [self.canary("link tag value")]},
        }

    def _id(self) -> str:
        """Return an id as SES writes ids, one of fifty."""
        return f"0100019a{self.rng.randrange(50):08x}-11111111-2222-3333-4444-555555555555-000000"


_OBJECTS: dict[str, Callable[[DocumentGenerator], tuple[str, Json]]] = {
    "Bounce": DocumentGenerator.bounce,
    "Complaint": DocumentGenerator.complaint,
    "Delivery": DocumentGenerator.delivery,
    "Subscription": DocumentGenerator.subscription,
    "DeliveryDelay": DocumentGenerator.delay,
    "Click": DocumentGenerator.click,
    "Open": lambda ses: ("open", {"timestamp": ses.time(), "userAgent": ses.canary("userAgent")}),
    "Reject": lambda ses: ("reject", {"reason": ses.canary("reason")}),
    "Rendering Failure": lambda ses: ("failure", {"errorMessage": ses.canary("errorMessage")}),
}
_KINDS = (*("Bounce",) * 8, *("Complaint",) * 5, *("Delivery",) * 3, *("Subscription",) * 2, *DETAIL_TYPES, "Received")
"""One of them is chosen at random. `Received` is no feedback."""
