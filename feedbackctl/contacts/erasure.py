"""Erasure of a contact's personal data. The objection stays, so that the address is not emailed again."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from feedbackctl.contacts.batch_results import ATTEMPTS
from feedbackctl.contacts.history import FEEDBACK, OPERATOR, OperatorAction, operator_item, query_records
from feedbackctl.contacts.reading import read_contact
from feedbackctl.errors import OperatorError
from feedbackctl.stack import Stack
from ses_feedback.aws.batches import batched
from ses_feedback.contacts.contact import EVIDENCE_REGISTERS, Contact, Evidence, Streams
from ses_feedback.contacts.record import ContactRecord, Item, become, encode, key
from ses_feedback.contacts.status import Status
from ses_feedback.immutable import replace
from ses_feedback.timestamps import format_timestamp

_QUEUE_DAYS, _OBJECT_DAYS, _RECOVERY_DAYS = 14, 28, 35
"""Retention in template.yaml, and of point-in-time recovery:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Point-in-time-recovery.html"""
_DELETE_AT_ONCE = 25


class Place(NamedTuple):
    """A place that may still hold the address, and until when. `until` is empty if it is kept on purpose."""

    place: str
    until: str
    why: str


def without_details(contact: Contact) -> Contact:
    """Return `contact` with the same status and without reasons, message ids, codes, sets and tags.

    The address and its variants stay, because the objection is about them.
    """
    registers: dict[str, Any] = {
        name: Evidence(evidence.at) for name in EVIDENCE_REGISTERS if (evidence := getattr(contact, name)) is not None
    }
    return replace(
        contact,
        **registers,
        unsubscribed_from=_bare(contact.unsubscribed_from),
        opted_into=_bare(contact.opted_into),
    )


def erase_contact(stack: Stack, address: str, action: OperatorAction) -> ContactRecord:
    """Erase history, reasons, tags and attributes of other applications, and return the contact that is left.

    Each step may be repeated.

    Raises:
        OperatorError: another process writes the contact all the time.
        AWS_ERRORS: DynamoDB did not answer.

    """
    delete_history(stack, address)
    for _ in range(ATTEMPTS):
        stored = read_contact(stack, address)
        if not stored.rev:
            return stored
        bare = without_details(stored.contact)
        changed = become(replace(stored, contact=bare), bare, stack.settings.limits, action.at) or replace(
            stored, contact=bare, rev=stored.rev + 1
        )
        if _put(stack, replace(changed, item=None), stored.rev):
            item = operator_item(address, action, stack.settings.history_days)
            stack.aws.client("dynamodb").put_item(TableName=stack.table, Item=item)
            return read_contact(stack, address)
    raise OperatorError("Another process writes the contact all the time. Its history is erased. Try again.")


def forget_contact(stack: Stack, address: str) -> None:
    """Delete the contact and its history."""
    delete_history(stack, address)
    stack.aws.client("dynamodb").delete_item(TableName=stack.table, Key=key(address))


def delete_history(stack: Stack, address: str) -> int:
    """Delete the history of a contact, also what operators did, and return the number of items."""
    dynamodb = stack.aws.client("dynamodb")
    number = 0
    for prefix in (FEEDBACK, OPERATOR):
        for items in batched(query_records(dynamodb, stack.table, address, prefix), _DELETE_AT_ONCE):
            requests = [_deletion(item) for item in items]
            while requests:
                answer = dynamodb.batch_write_item(RequestItems={stack.table: requests})
                requests = answer.get("UnprocessedItems", {}).get(stack.table, [])
            number += len(items)
    return number


def receipt(stack: Stack, record: ContactRecord, now: datetime, *, forgotten: bool) -> list[Place]:
    """Return every place that may still hold the address."""
    places = [
        Place("quarantine, dead letters, undelivered", _after(now, _QUEUE_DAYS), "messages are kept for 14 days"),
        Place("queues of the lanes", _after(now, _QUEUE_DAYS), "feedback that is not processed yet"),
        Place("point-in-time recovery of the table", _after(now, _RECOVERY_DAYS), "backups cannot be changed"),
    ]
    if "DeliveryBucketName" in stack.outputs:
        places.append(Place("objects in the delivery bucket", _after(now, _OBJECT_DAYS), "deliveries from Firehose"))
    places.append(
        Place("bulk operations", _after(now, stack.settings.history_days), "if the address was part of one; for --undo")
    )
    if not forgotten and record.rev:
        places.append(Place("contact", "", "the address and the objection, so that it is not emailed again"))
        if record.status in {Status.BOUNCED, Status.COMPLAINED}:
            places.append(Place("SES suppression list", "", "the entry that stops email; --forget removes it"))
    places.append(Place("your own applications, SES contact lists and exports", "", "ses-feedback does not reach them"))
    return places


def _put(stack: Stack, record: ContactRecord, rev: int) -> bool:
    """Replace the whole item, if its `rev` is unchanged: attributes of other applications go, too."""
    dynamodb = stack.aws.client("dynamodb")
    try:
        dynamodb.put_item(
            TableName=stack.table,
            Item=encode(record, stack.settings.limits),
            ConditionExpression="rev = :rev",
            ExpressionAttributeValues={":rev": {"N": str(rev)}},
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return False
    return True


def _deletion(item: Item) -> dict[str, Any]:
    return {"DeleteRequest": {"Key": {"address": item["address"], "record": item["record"]}}}


def _bare(streams: Streams) -> Streams:
    return tuple((name, Evidence(evidence.at)) for name, evidence in streams)


def _after(now: datetime, days: int) -> str:
    return format_timestamp(now + timedelta(days=days))
