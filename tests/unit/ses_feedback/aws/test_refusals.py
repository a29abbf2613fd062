"""What is answered when the suppression list was not written as asked."""

from ses_feedback.aws.refusals import OUT_OF_TIME, Refusal, RefusalKind


def test_a_call_for_which_no_time_is_left_will_do_later() -> None:
    """As one that came too fast would; the log tells the two apart by the word."""
    assert Refusal(RefusalKind.THROTTLED, "out-of-time") == OUT_OF_TIME
