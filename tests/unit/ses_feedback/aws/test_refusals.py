"""Refusals of AWS calls."""

from ses_feedback.aws.refusals import OUT_OF_TIME, Refusal, RefusalKind


def test_a_call_without_time_is_repeated_later_like_a_throttled_one() -> None:
    """The code in the log distinguishes the two."""
    assert Refusal(RefusalKind.THROTTLED, "out-of-time") == OUT_OF_TIME
