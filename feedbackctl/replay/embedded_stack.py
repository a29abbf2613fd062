"""A stack on AWS emulated in this process. Importing this module needs the extra `local`."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from feedbackctl.replay.event_times import find_newest_time
from feedbackctl.replay.message_files import read_messages
from feedbackctl.replay.result import ReplayResult
from feedbackctl.replay.runner import ReplayRunner
from localaws.in_process.embedded_aws import EmbeddedAws
from localaws.in_process.virtual_clock import VirtualClock
from ses_feedback.settings import Settings


def replay_files(
    files: Sequence[Path],
    *,
    sandbox: bool,
    log: Callable[[str], None],
    progress: Callable[[int, int], None],
    at: datetime | None = None,
    **parameters: Any,  # noqa: ANN401 (fields of Settings)
) -> ReplayResult:
    """Replay the messages in `files` on a new stack with these parameters.

    The clock starts at `at`, or right after the newest event in the files.

    Raises:
        MessageFileError: a file cannot be read.

    """
    newest = at or find_newest_time(read_messages(files))
    clock = VirtualClock(newest + timedelta(seconds=1) if newest else None)
    with EmbeddedAws(clock, sandbox=sandbox) as aws:
        settings = Settings(
            table_name=aws.table_name,
            quarantine_queue_url=aws.quarantine_url,
            event_bus_name=aws.event_bus_name,
            **parameters,
        )
        return ReplayRunner(aws, settings, log).run(read_messages(files), progress)
