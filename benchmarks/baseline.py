"""The baseline of all comparisons: the pattern of the AWS samples, as most senders deploy it.

One function processes messages one after the other with boto3. It writes an item for each recipient through the Table
resource, puts hard-bounced and complaining recipients on the suppression list, and counts with PutMetricData.

The comparison is fair. The baseline has no cost that does not belong to the pattern:
- clients and the Table resource are created once and used warm, over connections that stay open;
- it receives SQS batches with raw delivery, so it decodes each message once;
- it writes one small item per event and does not read, keep a history, use an index or check a condition;
- a delivery costs one item and one metric; several recipients of one message cost one metric;
- it logs nothing per message and catches no errors.
Like the samples, it makes one call for each action, inline, in the order of the messages.
"""

import json
from collections.abc import Mapping
from typing import Any

import boto3  # type: ignore[import-untyped]
from botocore.session import Session

NAMESPACE = "Feedback"


class Baseline:
    """The function and its clients."""

    def __init__(self, table: str, session: Session | None = None) -> None:
        """Create the clients, as code at module level does at import."""
        boto3_session = boto3.Session(botocore_session=session)
        self._table = boto3_session.resource("dynamodb").Table(table)
        self._ses = boto3_session.client("sesv2")
        self._cloudwatch = boto3_session.client("cloudwatch")

    def __call__(self, event: Mapping[str, Any], _context: object) -> dict[str, Any]:
        """Process a Lambda event."""
        for record in event["Records"]:
            message = json.loads(record["body"])
            match message.get("eventType") or message.get("notificationType"):
                case "Bounce":
                    self._bounce(message)
                case "Complaint":
                    self._complaint(message)
                case "Delivery":
                    self._delivery(message)
        return {"statusCode": 200}

    def _bounce(self, message: Mapping[str, Any]) -> None:
        bounce = message["bounce"]
        for recipient in bounce["bouncedRecipients"]:
            details = {"bounceSubType": bounce["bounceSubType"], "diagnosticCode": recipient.get("diagnosticCode", "")}
            self._put(recipient["emailAddress"], bounce["bounceType"], message, bounce["timestamp"], details)
            if bounce["bounceType"] == "Permanent":
                self._ses.put_suppressed_destination(EmailAddress=recipient["emailAddress"], Reason="BOUNCE")
        self._count(f"{bounce['bounceType']}Bounce", len(bounce["bouncedRecipients"]))

    def _complaint(self, message: Mapping[str, Any]) -> None:
        complaint = message["complaint"]
        for recipient in complaint["complainedRecipients"]:
            details = {"feedbackType": complaint.get("complaintFeedbackType") or ""}
            self._put(recipient["emailAddress"], "Complaint", message, complaint["timestamp"], details)
            self._ses.put_suppressed_destination(EmailAddress=recipient["emailAddress"], Reason="COMPLAINT")
        self._count("Complaint", 1)

    def _delivery(self, message: Mapping[str, Any]) -> None:
        delivery = message["delivery"]
        for recipient in delivery["recipients"]:
            self._put(recipient, "Delivery", message, delivery["timestamp"], {})
        self._count("Delivery", len(delivery["recipients"]))

    def _put(self, address: str, kind: str, message: Mapping[str, Any], time: str, details: Mapping[str, str]) -> None:
        mail = message["mail"]
        item = {
            "address": address,
            "record": mail["messageId"],
            "kind": kind,
            "time": time,
            "source": mail["source"],
            "subject": mail.get("commonHeaders", {}).get("subject", ""),
            **details,
        }
        self._table.put_item(Item=item)

    def _count(self, name: str, number: int) -> None:
        self._cloudwatch.put_metric_data(
            Namespace=NAMESPACE, MetricData=[{"MetricName": name, "Value": number, "Unit": "Count"}]
        )
