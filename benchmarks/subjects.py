"""The two subjects of the benchmarks: ses-feedback, as its `compose` functions create it, and the baseline.

A subject is imported only when its handler is created, so a process contains no code of the other one.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from benchmarks.account import BUCKET, CONFIGURATION_SET, QUARANTINE, TABLE

if TYPE_CHECKING:
    from botocore.session import Session

Handler = Callable[[Any, Any], dict[str, Any]]

SES_FEEDBACK, BASELINE = "ses-feedback", "baseline"
SUBJECTS = (SES_FEEDBACK, BASELINE)


class Context:
    """The Lambda context of an invocation that has all its time left."""

    def __init__(self, seconds: int = 60) -> None:
        """Create a context with `seconds` left."""
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the function times out."""
        return self._seconds * 1000


def create_handler(subject: str, session: "Session | None" = None, *, lane: str = "Bounce", **options: Any) -> Handler:  # noqa: ANN401 (options of compose)
    """Return the handler of a subject with clients of `session`, or of the environment if it is None."""
    if subject == BASELINE:
        from benchmarks.baseline import Baseline  # noqa: PLC0415 (as the module's docstring states)

        return Baseline(TABLE, session)
    from ses_feedback.aws.function_clients import FunctionClients  # noqa: PLC0415
    from ses_feedback.handlers import feedback  # noqa: PLC0415
    from ses_feedback.settings import Settings, access_from_environment  # noqa: PLC0415

    settings = Settings(TABLE, QUARANTINE, lane=lane, metric_configuration_sets=(CONFIGURATION_SET,))
    if session:
        from ses_feedback.aws.clients import Clients  # noqa: PLC0415

        return feedback.compose(settings, Clients(session), **options)
    return feedback.compose(settings, FunctionClients(access_from_environment()), **options)


def create_object_handler(session: "Session", **options: Any) -> Handler:  # noqa: ANN401 (options of compose)
    """Return the handler of a delivery lane whose messages refer to objects in S3."""
    from ses_feedback.aws.clients import Clients  # noqa: PLC0415
    from ses_feedback.handlers import deliveries  # noqa: PLC0415
    from ses_feedback.settings import Settings  # noqa: PLC0415

    sets = (CONFIGURATION_SET,)
    settings = Settings(TABLE, QUARANTINE, "Delivery", delivery_bucket=BUCKET, metric_configuration_sets=sets)
    return deliveries.compose(settings, Clients(session), **options)
