"""What SES says, of every kind and in both vocabularies, with a canary wherever it says anything of anybody's.

A document of this module is one SES might send: `mutations` is for the others.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from campaigns.fuzz.canaries import MARK, Planter, canary_address
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
"""How SES, its documentation and others write times, and how nobody should."""
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


class Author:
    """Writes documents."""

    def __init__(self, chance: Random, plant: Planter) -> None:
        """Decide by `chance`."""
        self.chance = chance
        self.plant = plant

    def document(self) -> Json:
        """Return a document of any kind; rather of those that change contacts."""
        kind = self.chance.choice(_OFTEN)
        document: Json = {self.chance.choice(VOCABULARIES): kind, "mail": self._mail()}
        build = _OBJECTS.get(kind)
        if build:
            name, fields = build(self)
            document[name] = fields
        return document

    def address(self) -> str:
        """Return what SES may name a recipient, usable or not, of a crowd small enough to meet again."""
        number = self.chance.randrange(6)
        plain = canary_address(number, number % 2 or "")
        roll = self.chance.random()
        if roll < 0.6:
            return plain
        if roll < 0.85:
            return self.chance.choice(_SPELLINGS)(plain)
        return self.chance.choice(_UNUSABLE)(plain)

    def addresses(self) -> list[str]:
        """Return recipients: mostly one, sometimes none or many."""
        return [self.address() for _ in range(self.chance.choice((0, 1, 1, 1, 1, 1, 2, 3, 8)))]

    def time(self) -> str:
        """Return a time, more or less."""
        return self.chance.choice(TIMES)

    def _mail(self) -> Json:
        plant, chance = self.plant, self.chance
        mail: Json = {
            "timestamp": self.time(),
            "messageId": chance.choice((_identifier(chance), _identifier(chance), plant("messageId"))),
            "source": plant("source"),
            "sourceArn": f"arn:aws:ses:us-east-1:123456789012:identity/{plant('sourceArn')}",
            "sendingAccountId": "123456789012",
            "destination": self.addresses(),
        }
        if chance.random() < 0.6:
            mail["headers"] = [{"name": plant("header"), "value": plant("value")} for _ in range(chance.randrange(3))]
            mail["commonHeaders"] = {"from": [self.address()], "to": self.addresses(), "subject": plant("subject")}
        if chance.random() < 0.6:
            mail["tags"] = {
                "ses:configuration-set": [chance.choice((*CONFIGURATION_SETS, f"set-{chance.randrange(400)}"))],
                "ses:tenant-name": [plant("tenant")],
                plant("tag"): [plant("tag value")],
            }
        return mail

    def bounce(self) -> tuple[str, Json]:
        """Return a `bounce` object by its name."""
        chance, plant = self.chance, self.plant
        return "bounce", {
            "feedbackId": chance.choice((_identifier(chance), plant("feedbackId"))),
            "bounceType": chance.choice((*BOUNCE_TYPES, plant("bounceType"))),
            "bounceSubType": chance.choice((*BOUNCE_SUB_TYPES, plant("bounceSubType"))),
            "bouncedRecipients": [self._bounced(address) for address in self.addresses()],
            "timestamp": self.time(),
            "reportingMTA": f"dns; {plant('reportingMTA')}",
        }

    def _bounced(self, address: str) -> Json:
        said = {"action": "failed", "status": "5.1.1", "diagnosticCode": self.plant("diagnosticCode")}
        return {"emailAddress": address, **(said if self.chance.random() < 0.7 else {})}

    def complaint(self) -> tuple[str, Json]:
        """Return a `complaint` object by its name."""
        chance, plant = self.chance, self.plant
        return "complaint", {
            "feedbackId": chance.choice((_identifier(chance), plant("feedbackId"))),
            "complaintSubType": chance.choice((None, None, *COMPLAINT_SUB_TYPES)),
            "complainedRecipients": [{"emailAddress": address} for address in self.addresses()],
            "timestamp": self.time(),
            "userAgent": plant("userAgent"),
            "complaintFeedbackType": chance.choice((*FEEDBACK_TYPES, plant("complaintFeedbackType"))),
            "arrivalDate": self.time(),
        }

    def delivery(self) -> tuple[str, Json]:
        """Return a `delivery` object by its name."""
        said = {"smtpResponse": self.plant("smtpResponse"), "reportingMTA": self.plant("reportingMTA")}
        return "delivery", {"timestamp": self.time(), "processingTimeMillis": 5, "recipients": self.addresses(), **said}

    def subscription(self) -> tuple[str, Json]:
        """Return a `subscription` object by its name."""
        everything = self.chance.choice((True, True, False, None, "true", 1))
        return "subscription", {
            "contactList": self.plant("contactList"),
            "timestamp": self.time(),
            "source": "UnsubscribeHeader",
            "newTopicPreferences": {"unsubscribeAll": everything, "topicSubscriptionStatus": []},
        }

    def delay(self) -> tuple[str, Json]:
        """Return a `deliveryDelay` object by its name."""
        return "deliveryDelay", {
            "delayType": self.plant("delayType"),
            "delayedRecipients": [{"emailAddress": address} for address in self.addresses()],
            "timestamp": self.time(),
        }

    def click(self) -> tuple[str, Json]:
        """Return a `click` object by its name."""
        tags = {self.plant("link tag"): [self.plant("link tag value")]}
        return "click", {
            "timestamp": self.time(),
            "link": f"https://example.com/{self.plant('link')}",
            "linkTags": tags,
        }


_OBJECTS: dict[str, Callable[[Author], tuple[str, Json]]] = {
    "Bounce": Author.bounce,
    "Complaint": Author.complaint,
    "Delivery": Author.delivery,
    "Subscription": Author.subscription,
    "DeliveryDelay": Author.delay,
    "Click": Author.click,
    "Open": lambda author: ("open", {"timestamp": author.time(), "userAgent": author.plant("userAgent")}),
    "Reject": lambda author: ("reject", {"reason": author.plant("reason")}),
    "Rendering Failure": lambda author: ("failure", {"errorMessage": author.plant("errorMessage")}),
}
_OFTEN = (*("Bounce",) * 8, *("Complaint",) * 5, *("Delivery",) * 3, *("Subscription",) * 2, *DETAIL_TYPES, "Received")

_SPELLINGS: Sequence[Callable[[str], str]] = (
    str.upper,
    str.title,
    lambda plain: f"{MARK}, The <{plain}>",
    lambda plain: f'"{MARK} \\"<a@b>\\"" <{plain}>',
    lambda plain: f" <{plain}> ",
    lambda plain: f"{plain}.",
    lambda plain: f"({MARK}) {plain} ({MARK})",
    lambda plain: plain.replace("@", "+tag/slash@"),
    lambda _: f'"{MARK} @ <local>"@example.com',
    lambda plain: plain.replace("@", "@bücher-"),
    lambda plain: plain.replace("@", "\U0001f600é@"),
    lambda _: f"{MARK}@[192.0.2.1]",
)
_UNUSABLE: Sequence[Callable[[str], str]] = (
    lambda plain: f"{plain}, {plain}",
    lambda plain: f"{plain} {plain}",
    lambda plain: f"<{plain}> <{plain}>",
    lambda plain: plain.replace("@", "\ud800@"),
    lambda plain: plain.replace("@", "\x00@"),
    lambda plain: plain.replace("@", "@\u212a"),
    lambda plain: plain.replace("@", ""),
    lambda plain: f"{plain}{'x' * 400}",
    lambda plain: f"{plain}{'<' * 2_000}",
    lambda _: "",
    lambda _: "\u200b",
)


def _identifier(chance: Random) -> str:
    """Return an id as SES makes them."""
    return f"0100019a{chance.randrange(50):08x}-11111111-2222-3333-4444-555555555555-000000"
