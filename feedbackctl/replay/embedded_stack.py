"""A stack on AWS emulated in this process. Importing this module needs the extra `local`."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from feedbackctl.replay.message_files import read_messages
from feedbackctl.replay.result import ReplayResult
from feedbackctl.replay.runner import ReplayRunner
from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.settings import Settings


def replay_files(
    files: Iterable[Path],
    *,
    sandbox: bool,
    log: Callable[[str], None],
    progress: Callable[[int, int], None],
    **parameters: Any,  # noqa: ANN401 (fields of Settings)
) -> ReplayResult:
    """Replay the messages in `files` on a new stack with these parameters.

    Raises:
        MessageFileError: a file cannot be read.

    """
    with EmbeddedAws(sandbox=sandbox) as aws:
        settings = Settings(
            table_name=aws.table_name,
            quarantine_queue_url=aws.quarantine_url,
            event_bus_name=aws.event_bus_name,
            **parameters,
        )
        return ReplayRunner(aws, settings, log).run(read_messages(files), progress)
