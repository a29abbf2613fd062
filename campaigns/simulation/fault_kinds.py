"""Kinds of faults: those that each AWS call can have, and their error codes."""

from collections.abc import Mapping

from campaigns.simulation.case import Fault

BEFORE_EFFECT = ("throttled", "failed", "timed out", "connection refused", "crashed", "stalled")
"""Faults before the call takes effect: it has none. A stalled call takes effect late, and its caller still waits."""
AFTER_EFFECT = (
    "failed after effect",
    "timed out after effect",
    "answer lost",
    "crashed after effect",
    "stalled after effect",
    "answer lost, call repeated",
)
"""Faults after the call took effect."""
PARTIAL_EFFECT = ("failed in part", "timed out in part", "crashed in part", "answer lost in part, call repeated")
"""Faults after some parts of the call took effect; only calls with independent parts have them."""
LATE_EFFECT = ("timed out, effect later", "crashed, effect later")
"""Faults of calls that take effect after their caller stopped waiting."""
LASTING = {"contacts throttled": "contact", "history throttled": "feedback"}
"""Faults that also affect the next calls of the operation: no record of one kind is written."""
LASTING_CALLS = 10
"""Calls that a lasting fault affects: more than one invocation makes in a row."""
_ANY = BEFORE_EFFECT + AFTER_EFFECT
_WRITE = _ANY + LATE_EFFECT
_LIST_WRITE = (*_WRITE, *LATE_EFFECT, "malformed answer", "denied", "rejected")
FAULTS: Mapping[str, tuple[str, ...]] = {
    "batch_get_item": (*_ANY, "malformed answer", "unprocessed", "unprocessed", "unprocessed"),
    "batch_execute_statement": (
        *_WRITE, *PARTIAL_EFFECT, *PARTIAL_EFFECT, "malformed answer", *("short",) * 6, "statements rejected",
        "statements rejected", "statements rejected", "contacts throttled", "history throttled",
    ),
    "put_item": (*_WRITE, *AFTER_EFFECT, "malformed answer"),
    "get_item": _ANY,
    "update_item": (*_WRITE, "stalled after effect", "stalled after effect", "malformed answer"),
    "query": (*_ANY, "malformed answer", "short"),
    "put_suppressed_destination": _LIST_WRITE,
    "delete_suppressed_destination": _LIST_WRITE,
    "create_import_job": (*_WRITE, *LATE_EFFECT, "denied", "rejected", "malformed answer"),
    "get_import_job": (*_ANY, "malformed answer", "not found"),
    "put_object": (*_WRITE, "denied", "malformed answer"),
    "get_object": (*_ANY, "denied", "malformed answer"),
    "delete_object": (*_WRITE, "denied"),
    "send_message": (*_WRITE, "malformed answer", "malformed answer", "malformed answer"),
    "put_events": (*_WRITE, "malformed answer", "not accepted"),
    "receive": ("received twice", "crashed"),
    "acknowledge": ("not accepted", "accepted in part", "crashed"),
    "checkpoint": ("not accepted",),
}  # fmt: skip
"""Faults of each operation. One that is listed several times is more likely.

`receive` and `acknowledge` are calls of Lambda's queue poller, `checkpoint` is one of its stream poller.
"""
SERVICES: Mapping[str, tuple[str, ...]] = {
    "DynamoDB": ("batch_get_item", "batch_execute_statement", "put_item", "get_item", "update_item", "query"),
    "SES": ("put_suppressed_destination", "delete_suppressed_destination", "create_import_job", "get_import_job"),
    "S3": ("put_object", "get_object", "delete_object"),
    "SQS": ("send_message",),
    "EventBridge": ("put_events",),
}
"""Operations that fail during an outage of a service."""
_SERVER_ERRORS = ("InternalServerError", "ServiceUnavailable")
CODES: Mapping[str, tuple[str, ...]] = {
    "throttled": ("ThrottlingException", "TooManyRequestsException"),
    "failed": _SERVER_ERRORS,
    "failed after effect": _SERVER_ERRORS,
    "failed in part": _SERVER_ERRORS,
    "denied": ("AccessDeniedException",),
    "rejected": ("BadRequestException",),
    "not found": ("NotFoundException",),
    "statements rejected": (
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "InternalServerError",
        "RequestLimitExceeded",
        "TransactionConflict",
        "AccessDenied",
    ),
}
"""Error codes of each fault. Those of single statements:
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementError.html"""


def first_call_fault(operation: str, name: str) -> Fault:
    """Return the fault `name` of the first call of `operation`."""
    return Fault(operation, 0, FAULTS[operation].index(name))
