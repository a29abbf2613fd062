"""A stack on AWS emulated in this process. Importing this module needs the extra `local`."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from feedbackctl.contacts.history import read_history
from feedbackctl.replay.event_times import find_newest_time
from feedbackctl.replay.message_files import read_messages
from feedbackctl.replay.result import ExplainedContact, ReplayResult
from feedbackctl.replay.runner import ReplayRunner
from localaws.in_process.embedded_aws import EmbeddedAws
from localaws.in_process.virtual_clock import VirtualClock
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.settings import Settings

_WITHOUT_EVENTS = datetime(2000, 1, 1, tzinfo=UTC)
"""Time of a replay in which no message has a time."""


def replay_files(
    files: Sequence[Path],
    *,
    sandbox: bool,
    log: Callable[[str], None],
    progress: Callable[[int, int], None],
    at: datetime | None = None,
    explain: str | None = None,
    **parameters: Any,  # noqa: ANN401 (fields of Settings)
) -> ReplayResult:
    """Replay the messages in `files` on a new stack with these parameters.

    The clock starts at `at`, or right after the newest event in the files, so the result does not depend on the day of
    the replay. The result has the history of the contact with the key `explain`.

    Raises:
        MessageFileError: a file cannot be read.

    """
    newest = at or find_newest_time(read_messages(files))
    clock = VirtualClock((newest or _WITHOUT_EVENTS) + timedelta(seconds=1))
    with EmbeddedAws(clock, sandbox=sandbox) as aws:
        settings = Settings(
            table_name=aws.table_name,
            quarantine_queue_url=aws.quarantine_url,
            event_bus_name=aws.event_bus_name,
            **parameters,
        )
        result = ReplayRunner(aws, settings, log).run(read_messages(files), progress)
        if explain is not None:
            result.explained = _read_contact(aws, settings, explain)
        return result


def _read_contact(aws: EmbeddedAws, settings: Settings, address: str) -> ExplainedContact:
    clock, dynamodb = aws.clock, aws.client("dynamodb")
    repository = ContactRepository(
        dynamodb,
        aws.table_name,
        settings.limits,
        history_days=settings.history_days,
        now=clock.now,
        sleep=clock.sleep,
    )
    record = repository.read([address], {}, consistent=True)[address]
    return ExplainedContact(record, settings.limits, read_history(dynamodb, aws.table_name, address))
