"""What people deploy today: the pattern of AWS's samples, report fairly, to compare with.

One function takes the messages one after the other, with boto3: each recipient is put into a table through the Table
resource, put on the suppression list if the bounce was hard or it complained, and counted with PutMetricData.

It is fair in what would make it slower or dearer without belonging to the pattern:
- clients and the Table resource are made once and used warm, over kept-alive connections;
- it takes SQS batches with raw delivery, so it decodes each message once, with the C decoder of json;
- it writes one small item per event: no read, no history, no index, no condition;
- a delivery costs it one item and one metric, several recipients of one message cost one metric;
- it logs nothing per message, and catches nothing.
It is as the samples are in what the comparison is about: a call for each thing done, inline, in the order of the mail.
"""

import json
from collections.abc import Mapping
from typing import Any

import boto3  # type: ignore[import-untyped]
from botocore.session import Session

from benchmarks.subjects import TABLE

NAMESPACE = "Feedback"


class Baseline:
    """The function, with its clients."""

    def __init__(self, session: Session | None = None) -> None:
        """Make the clients, as a module's level does when it is imported."""
        made = boto3.Session(botocore_session=session)
        self._table = made.resource("dynamodb").Table(TABLE)
        self._ses = made.client("sesv2")
        self._cloudwatch = made.client("cloudwatch")

    def __call__(self, event: Mapping[str, Any], _context: object) -> dict[str, Any]:
        """Handle what Lambda hands over."""
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
            said = {"bounceSubType": bounce["bounceSubType"], "diagnosticCode": recipient.get("diagnosticCode", "")}
            self._put(recipient["emailAddress"], bounce["bounceType"], message, bounce["timestamp"], said)
            if bounce["bounceType"] == "Permanent":
                self._ses.put_suppressed_destination(EmailAddress=recipient["emailAddress"], Reason="BOUNCE")
        self._count(f"{bounce['bounceType']}Bounce", len(bounce["bouncedRecipients"]))

    def _complaint(self, message: Mapping[str, Any]) -> None:
        complaint = message["complaint"]
        for recipient in complaint["complainedRecipients"]:
            said = {"feedbackType": complaint.get("complaintFeedbackType") or ""}
            self._put(recipient["emailAddress"], "Complaint", message, complaint["timestamp"], said)
            self._ses.put_suppressed_destination(EmailAddress=recipient["emailAddress"], Reason="COMPLAINT")
        self._count("Complaint", 1)

    def _delivery(self, message: Mapping[str, Any]) -> None:
        delivery = message["delivery"]
        for recipient in delivery["recipients"]:
            self._put(recipient, "Delivery", message, delivery["timestamp"], {})
        self._count("Delivery", len(delivery["recipients"]))

    def _put(self, address: str, kind: str, message: Mapping[str, Any], time: str, said: Mapping[str, str]) -> None:
        mail = message["mail"]
        item = {
            "address": address,
            "record": mail["messageId"],
            "kind": kind,
            "time": time,
            "source": mail["source"],
            "subject": mail.get("commonHeaders", {}).get("subject", ""),
            **said,
        }
        self._table.put_item(Item=item)

    def _count(self, name: str, number: int) -> None:
        self._cloudwatch.put_metric_data(
            Namespace=NAMESPACE, MetricData=[{"MetricName": name, "Value": number, "Unit": "Count"}]
        )
