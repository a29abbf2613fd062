"""What is measured, made the same way wherever it is: ours as its `compose` puts it together, and the baseline.

Each is imported only when it is asked for, so that a process holds nothing of the other.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.session import Session

Handler = Callable[[Any, Any], dict[str, Any]]

OURS, BASELINE = "ours", "baseline"
SUBJECTS = (OURS, BASELINE)
TABLE = "Contacts"
QUARANTINE = "https://sqs.us-east-1.amazonaws.com/123456789012/Quarantine"
BUCKET = "deliveries"
CONFIGURATION_SET = "receipts"
REGION = "us-east-1"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "stub",
    "AWS_SECRET_ACCESS_KEY": "stub",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Context:
    """Lambda's context of an invocation that has all its time left: what the template gives the function."""

    def __init__(self, seconds: int = 60) -> None:
        """Have so many seconds left."""
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the function."""
        return self._seconds * 1000


def handler(subject: str, session: "Session | None" = None, *, lane: str = "Bounce", **how: Any) -> Handler:  # noqa: ANN401 (compose's own)
    """Return the subject's handler, whose clients come from `session` (the environment's when it is None)."""
    if subject == BASELINE:
        from benchmarks.baseline import Baseline  # noqa: PLC0415 (see above)

        return Baseline(session)
    from ses_feedback.aws.function_clients import FunctionClients  # noqa: PLC0415
    from ses_feedback.handlers import feedback  # noqa: PLC0415
    from ses_feedback.settings import Settings, access_from_environment  # noqa: PLC0415

    settings = Settings(TABLE, QUARANTINE, lane=lane, metric_configuration_sets=(CONFIGURATION_SET,))
    if session:
        from ses_feedback.aws.clients import Clients  # noqa: PLC0415

        return feedback.compose(settings, Clients(session), **how)
    return feedback.compose(settings, FunctionClients(access_from_environment()), **how)


def reader(session: "Session", **how: Any) -> Handler:  # noqa: ANN401 (compose's own)
    """Return our handler of a delivery lane that S3 notifies of objects."""
    from ses_feedback.aws.clients import Clients  # noqa: PLC0415
    from ses_feedback.handlers import deliveries  # noqa: PLC0415
    from ses_feedback.settings import Settings  # noqa: PLC0415

    sets = (CONFIGURATION_SET,)
    settings = Settings(TABLE, QUARANTINE, "Delivery", delivery_bucket=BUCKET, metric_configuration_sets=sets)
    return deliveries.compose(settings, Clients(session), **how)
