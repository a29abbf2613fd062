"""What a batch counts."""

from ses_feedback.aws.metric_counts import MetricCounts


def test_counts_add_up() -> None:
    """By configuration set, and over all of them."""
    metric_counts = MetricCounts()
    metric_counts.count("receipts", "Complaint")
    metric_counts.count("receipts", "Complaint", 2)
    metric_counts.count("", "Complaint")
    metric_counts.count("receipts", "Delivery", 50)
    assert list(metric_counts) == [("receipts", "Complaint", 3), ("", "Complaint", 1), ("receipts", "Delivery", 50)]
    assert [metric_counts.total(name) for name in ("Complaint", "Delivery", "Send")] == [4, 50, 0]


def test_the_longest_delay_is_kept() -> None:
    """A batch has one value of it for each configuration set."""
    metric_counts = MetricCounts()
    for milliseconds in (5, 900, 20):
        metric_counts.delay("receipts", "FeedbackLag", milliseconds)
    metric_counts.delay("", "FeedbackLag", 7)
    assert list(metric_counts) == [("receipts", "FeedbackLag", 900), ("", "FeedbackLag", 7)]


def test_a_negative_delay_is_none() -> None:
    """Clocks disagree."""
    metric_counts = MetricCounts()
    metric_counts.delay("", "FeedbackLag", -3)
    assert list(metric_counts) == [("", "FeedbackLag", 0)]


def test_delays_are_not_counts() -> None:
    """Even of one name."""
    metric_counts = MetricCounts()
    metric_counts.delay("", "FeedbackLag", 9)
    assert metric_counts.total("FeedbackLag") == 0


def test_a_new_tally_holds_nothing() -> None:
    """Nor does it share what another holds."""
    MetricCounts().count("", "Send")
    assert list(MetricCounts()) == []


def test_including_another_adds_counts_and_keeps_the_longest_delays() -> None:
    """Two tallies are as one that saw both."""
    one, other = MetricCounts(), MetricCounts()
    one.count("receipts", "Delivery", 2)
    one.delay("receipts", "FeedbackLag", 500)
    one.delay("news", "FeedbackLag", 10)
    other.count("receipts", "Delivery", 3)
    other.count("news", "Complaint")
    other.delay("receipts", "FeedbackLag", 400)
    other.delay("news", "FeedbackLag", 20)
    one.include(other)
    assert sorted(one) == [
        ("news", "Complaint", 1),
        ("news", "FeedbackLag", 20),
        ("receipts", "Delivery", 5),
        ("receipts", "FeedbackLag", 500),
    ]
