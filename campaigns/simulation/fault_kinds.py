"""How calls of AWS go wrong: which faults each call can have, and what comes of each."""

from collections.abc import Mapping

from botocore.exceptions import ClientError

UNDONE = ("throttled", "failed", "timed out", "refused", "crashed", "stalled")
"""Faults before the call has its effect."""
DONE = ("failed after all", "timed out after all", "lost", "crashed after", "stalled after", "lost, repeated")
"""Faults after it."""
PARTLY = ("failed in part", "timed out in part", "crashed in part", "lost in part, repeated")
"""Faults after a part of what the call asks for: only of calls whose parts stand or fall each by itself."""
LATE = ("timed out, done later", "crashed, done later")
"""Faults during it: it has its effect when nobody waits for it any more."""
LASTING = {"contacts throttled": "contact", "history throttled": "feedback"}
"""Faults that last for the next calls of the kind, too: of one kind of records, none is written."""
FOR_SO_MANY = 10
"""How many calls they last for: more than anybody makes in a row."""
_ANY = UNDONE + DONE
_WRITE = _ANY + LATE
FAULTS: Mapping[str, tuple[str, ...]] = {
    "batch_get_item": (*_ANY, "garbled", "unprocessed", "unprocessed", "unprocessed"),
    "batch_execute_statement": (
        *_WRITE, *PARTLY, *PARTLY, "garbled", *("short",) * 6,
        "statements refused", "statements refused", "statements refused", "contacts throttled", "history throttled",
    ),
    "put_item": (*_WRITE, *DONE, "garbled"),
    "get_item": _ANY,
    "update_item": (*_WRITE, "stalled after", "stalled after", "garbled"),
    "query": (*_ANY, "garbled", "short"),
    "put_suppressed_destination": (*_WRITE, *LATE, "garbled", "denied", "refused for good"),
    "delete_suppressed_destination": (*_WRITE, *LATE, "garbled", "denied", "refused for good"),
    "create_import_job": (*_WRITE, *LATE, "denied", "refused for good", "garbled"),
    "get_import_job": (*_ANY, "garbled", "not found"),
    "put_object": (*_WRITE, "denied", "garbled"),
    "get_object": (*_ANY, "denied", "garbled"),
    "delete_object": (*_WRITE, "denied"),
    "send_message": (*_WRITE, "garbled", "garbled", "garbled"),
    "put_events": (*_WRITE, "garbled", "not taken"),
    "receive": ("duplicated", "crashed"),
    "acknowledge": ("not taken", "taken in part", "crashed"),
    "checkpoint": ("not taken",),
}  # fmt: skip
"""What each call can suffer."""
SERVICES: Mapping[str, tuple[str, ...]] = {
    "DynamoDB": ("batch_get_item", "batch_execute_statement", "put_item", "get_item", "update_item", "query"),
    "SES": ("put_suppressed_destination", "delete_suppressed_destination", "create_import_job", "get_import_job"),
    "S3": ("put_object", "get_object", "delete_object"),
    "SQS": ("send_message",),
    "EventBridge": ("put_events",),
}
"""Which calls fail when a service is down."""
CODES: Mapping[str, tuple[str, ...]] = {
    "throttled": ("ThrottlingException", "TooManyRequestsException"),
    "failed": ("InternalServerError", "ServiceUnavailable"),
    "failed after all": ("InternalServerError", "ServiceUnavailable"),
    "failed in part": ("InternalServerError", "ServiceUnavailable"),
    "denied": ("AccessDeniedException",),
    "refused for good": ("BadRequestException",),
    "not found": ("NotFoundException",),
    "statements refused": (
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "InternalServerError",
        "RequestLimitExceeded",
        "TransactionConflict",
        "AccessDenied",
    ),
}
"""The error codes a fault comes with."""


def refused(operation: str, code: str) -> ClientError:
    """Return the exception botocore raises when AWS answers with this error code."""
    return ClientError({"Error": {"Code": code, "Message": "made up"}}, operation)
