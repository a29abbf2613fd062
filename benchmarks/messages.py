"""Generated SES events, and Lambda events that contain them. Equal arguments give equal events.

The events have the format of event publishing, with headers and tags, and the size of real ones: about 2 KB each.
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import Any

Json = dict[str, Any]

SENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""The time of every message."""
LAG = timedelta(seconds=5)
"""The time from a message to its feedback."""
DAY = 86_400
"""The `sequence` of feedback of the next day."""
RECEIVED = SENT + timedelta(days=7)
"""The time at which SQS received all feedback. No feedback may be later."""


def address(number: int) -> str:
    """Return the address of recipient `number`."""
    return f"Recipient.{number:07}@mailbox-{number % 97}.example.com"


def bounce(number: int, *, sequence: int = 0, soft: bool = False) -> Json:
    """Return a hard or soft bounce of a recipient. `sequence` distinguishes several bounces of one recipient."""
    status = ("4.2.2", "552 4.2.2 the mailbox is over its quota") if soft else ("5.1.1", "550 5.1.1 user unknown")
    recipient = {
        "emailAddress": address(number),
        "action": "failed",
        "status": status[0],
        "diagnosticCode": f"smtp; {status[1]}; please see https://mailbox.example.com/help/{status[0]} for why",
    }
    return _message("Bounce", number, sequence) | {
        "bounce": {
            "feedbackId": f"0100019a{number:08x}-{sequence:08x}-2222-3333-4444-555555555555-000000",
            "bounceType": "Transient" if soft else "Permanent",
            "bounceSubType": "MailboxFull" if soft else "General",
            "bouncedRecipients": [recipient],
            "timestamp": _time(sequence),
            "reportingMTA": "dns; a8-70.smtp-out.amazonses.com",
        }
    }


def complaint(number: int, *, sequence: int = 0) -> Json:
    """Return a complaint of a recipient."""
    return _message("Complaint", number, sequence) | {
        "complaint": {
            "feedbackId": f"0100019b{number:08x}-{sequence:08x}-2222-3333-4444-555555555555-000000",
            "complaintSubType": None,
            "complainedRecipients": [{"emailAddress": address(number)}],
            "timestamp": _time(sequence),
            "userAgent": "Mailbox-Feedback/2.0",
            "complaintFeedbackType": "abuse",
            "arrivalDate": _time(sequence),
        }
    }


def delivery(number: int, *, sequence: int = 0) -> Json:
    """Return a delivery to a recipient, `sequence` seconds after the first."""
    return _message("Delivery", number, sequence) | {
        "delivery": {
            "timestamp": _time(sequence),
            "processingTimeMillis": 1_284,
            "recipients": [address(number)],
            "smtpResponse": "250 2.0.0 OK 1772366405 d2e1a72fcca58-0123456789asi.123 - gsmtp",
            "remoteMtaIp": "192.0.2.25",
            "reportingMTA": "a8-70.smtp-out.amazonses.com",
        }
    }


def opened(number: int, *, sequence: int = 0) -> Json:
    """Return an open of a recipient."""
    opening = {"timestamp": _time(sequence), "ipAddress": "192.0.2.1", "userAgent": "Mozilla/5.0"}
    return _message("Open", number, sequence) | {"open": opening}


def sqs_event(documents: Iterable[Json], *, lane: str = "Bounce", first: int = 0) -> Json:
    """Return the Lambda event for a batch of messages of a lane's queue, with raw delivery."""
    return {"Records": [_record(lane, number, document) for number, document in enumerate(documents, first)]}


def batches(documents: Iterable[Json], size: int, *, lane: str = "Bounce") -> Iterator[Json]:
    """Yield Lambda events with `size` documents each."""
    source = iter(documents)
    for first in count(step=size):
        event = sqs_event(islice(source, size), lane=lane, first=first)
        if not event["Records"]:
            return
        yield event
        # Lambda holds one event at a time, and the memory is measured.
        del event


def _record(lane: str, number: int, document: Json) -> Json:
    sent = str(int(RECEIVED.timestamp() * 1000))
    return {
        "messageId": f"{number:08x}-1111-2222-3333-444444444444",
        "receiptHandle": "AQEB" + "x" * 200,
        "body": json.dumps(document),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": sent,
            "SenderId": "AIDAIT2UOQQY3AUEKVGXU",
            "ApproximateFirstReceiveTimestamp": sent,
        },
        "messageAttributes": {},
        "md5OfBody": "0123456789abcdef0123456789abcdef",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:feedback-{lane}Queue-ABCDEFGHIJKL",
        "awsRegion": "us-east-1",
    }


def _message(kind: str, number: int, sequence: int) -> Json:
    recipient, subject = address(number), "Your receipt of the first of March"
    message_id = f"0100019a{sequence:08x}-{number:08x}-1111-2222-3333-444444444444-000000"
    headers = {
        "From": "Shop <receipts@shop.example.com>",
        "To": recipient,
        "Subject": subject,
        "MIME-Version": "1.0",
        "Content-Type": 'multipart/alternative; boundary="----=_Part_1"',
        "Message-ID": f"<{number}.{sequence}@shop.example.com>",
        "List-Unsubscribe": f"<https://shop.example.com/unsubscribe/{number}>",
    }
    return {
        "eventType": kind,
        "mail": {
            "timestamp": (SENT + timedelta(seconds=sequence)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "source": "receipts@shop.example.com",
            "sourceArn": "arn:aws:ses:us-east-1:123456789012:identity/shop.example.com",
            "sendingAccountId": "123456789012",
            "messageId": message_id,
            "destination": [recipient],
            "headersTruncated": False,
            "headers": [{"name": name, "value": value} for name, value in headers.items()],
            "commonHeaders": {
                "from": [headers["From"]],
                "to": [recipient],
                "messageId": message_id,
                "subject": subject,
            },
            "tags": {
                "ses:operation": ["SendEmail"],
                "ses:configuration-set": ["receipts"],
                "ses:source-ip": ["192.0.2.10"],
                "ses:from-domain": ["shop.example.com"],
                "ses:caller-identity": ["shop"],
                "ses:outgoing-ip": ["192.0.2.11"],
                "campaign": ["receipts-2026-03"],
            },
        },
    }


def _time(sequence: int) -> str:
    at = SENT + LAG + timedelta(seconds=sequence)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"
