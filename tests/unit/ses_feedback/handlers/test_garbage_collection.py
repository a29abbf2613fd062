"""The garbage collector during an invocation."""

import gc
from collections.abc import Iterator
from datetime import datetime

import pytest

from ses_feedback.aws.metric_counts import MetricCounts
from ses_feedback.handlers.deadline import utc_now
from ses_feedback.handlers.feedback import compose_handler
from ses_feedback.handlers.garbage_collection import paused_collector
from ses_feedback.processing.results import BatchReport
from ses_feedback.settings import Settings
from tests.support.deployed_functions import FakeContext


@pytest.fixture(autouse=True)
def _enabled_collector() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


def test_the_collector_is_paused_during_an_invocation_and_runs_afterwards() -> None:
    with paused_collector():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_the_collector_runs_again_after_an_error() -> None:
    with pytest.raises(KeyError), paused_collector():
        raise KeyError
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    with paused_collector():
        pass
    assert not gc.isenabled()


class _Processor:
    """Reports no record, and remembers whether the collector ran."""

    enabled = True

    def process(self, event: object, until: datetime | None = None) -> BatchReport:  # noqa: ARG002 (the protocol)
        """Process nothing."""
        self.enabled = gc.isenabled()
        return BatchReport((), MetricCounts())


def test_a_feedback_function_pauses_the_collector_while_it_processes_a_batch() -> None:
    processor = _Processor()
    compose_handler(Settings("contacts", "https://sqs.example.com/quarantine"), processor, utc_now)({}, FakeContext())
    assert not processor.enabled
