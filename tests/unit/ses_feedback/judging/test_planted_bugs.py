"""Bugs of judging that change no contact, so no simulated case shows them: each makes the test of its rule fail."""

from collections.abc import Callable
from typing import Any

import pytest

from ses_feedback.contacts import history
from ses_feedback.judging import judge, providers, recipients
from ses_feedback.judging.recipients import EmailRecipients
from ses_feedback.processing.pipeline import Pipeline
from tests.support.builders import a_bounce, on_day
from tests.unit.ses_feedback.contacts import test_record
from tests.unit.ses_feedback.judging import test_policy
from tests.unit.ses_feedback.processing import test_forged_recipients, test_pipeline

Bug = tuple[object, str, Any, Callable[[], None]]
"""A module or class, the name of one of its attributes, the wrong value, and a test that fails because of it."""


def check_simulated_email() -> None:
    """Run the test of email to the mailbox simulator."""
    test_policy.test_email_to_the_mailbox_simulator_is_counted_apart(a_bounce)


def check_block_list() -> None:
    """Run the test of rejections that concern the sender, with one of them."""
    text, status, reason, provider = "smtp; 554 listed by zen.spamhaus.org", "5.0.0", "block list", "other"
    test_policy.test_a_provider_rejection_is_counted_and_marked_if_the_sender_is_at_fault(
        text, status, reason, provider
    )


def check_rendering_failure() -> None:
    """Run the test of rendering failures, with one of them."""
    message = "Attribute 'name' is not present in the rendering data."
    test_policy.test_a_rendering_failure_is_described_without_values_of_the_email(message, "missing-attribute")


def quote_error(failure: Any) -> tuple[str, str]:  # noqa: ANN401 (a model of SES's event)
    """Return the text of the error instead of its kind."""
    return failure.template_name, failure.error_message


class PipelineWithoutDeadline(Pipeline):
    """A pipeline that judges every record, however late it is."""

    def process(self, event: object, _until: object = None) -> Any:  # noqa: ANN401 (a report)
        """Process `event` without a deadline."""
        return super().process(event)


class PipelineWithoutTime(Pipeline):
    """A pipeline whose clock is a year ahead when it dates feedback without a carrier."""

    def process(self, event: object, until: Any = None) -> Any:  # noqa: ANN401 (a report)
        """Process `event` next year."""
        self._now = lambda: on_day(365)
        return super().process(event, until)


BUGS: dict[str, Bug] = {
    "email to the mailbox simulator counts in the rates": (EmailRecipients, "simulated", False, check_simulated_email),
    "a rejection of the sender is not counted": (
        providers,
        "is_provider_rejection",
        lambda *_: False,
        check_block_list,
    ),
    "the reason omits the fault of the sender": (providers, "describe_sender_fault", lambda *_: "", check_block_list),
    "the provider of a mail server is unknown": (
        judge._Result,  # noqa: SLF001 (the planted bug replaces a private method)
        "count_provider",
        lambda *_: None,
        test_policy.test_delivery_delays_are_counted_by_provider,
    ),
    "the sender's tags are lost": (
        judge,
        "tags_of",
        lambda _: (),
        test_policy.test_the_senders_tags_are_kept_and_ses_own_are_not,
    ),
    "tags are unbounded": (judge, "MAX_TAGS", 1_000, test_policy.test_at_most_ten_tags_of_512_bytes_are_kept),
    "a rendering failure quotes the error": (judge, "describe_failure", quote_error, check_rendering_failure),
    "every name in a bounce is parsed": (
        recipients,
        "MAX_PARSED",
        10**6,
        test_forged_recipients.test_a_bounce_with_a_thousand_names_parses_no_more_than_the_recipients_of_two_emails,
    ),
    "the history of a day is unbounded": (
        history,
        "HISTORY_A_DAY",
        256,
        test_record.test_the_history_records_of_a_day_and_a_rule_are_bounded,
    ),
    "the deadline is checked at the end of a batch": (
        test_pipeline,
        "Pipeline",
        PipelineWithoutDeadline,
        test_pipeline.test_records_not_begun_at_the_deadline_are_retried_and_the_others_are_applied,
    ),
    "feedback without a carrier has no upper bound": (
        test_pipeline,
        "Pipeline",
        PipelineWithoutTime,
        test_pipeline.test_without_a_carrier_feedback_is_not_later_than_the_invocation,
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bug_makes_the_test_of_its_rule_fail(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, wrong, test = BUGS[bug]
    test()
    monkeypatch.setattr(owner, name, wrong)
    with pytest.raises(AssertionError):
        test()
