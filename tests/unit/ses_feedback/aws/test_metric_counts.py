"""MetricCounts: counts and delays of one batch."""

from ses_feedback.aws.metric_counts import MetricCounts


def test_counts_add_up_by_configuration_set() -> None:
    metric_counts = MetricCounts()
    metric_counts.count("receipts", "Complaint")
    metric_counts.count("receipts", "Complaint", 2)
    metric_counts.count("", "Complaint")
    metric_counts.count("receipts", "Delivery", 50)
    assert list(metric_counts) == [("receipts", "Complaint", 3), ("", "Complaint", 1), ("receipts", "Delivery", 50)]


def test_the_longest_delay_of_each_configuration_set_is_kept() -> None:
    metric_counts = MetricCounts()
    for milliseconds in (5, 900, 20):
        metric_counts.delay("receipts", "FeedbackLag", milliseconds)
    metric_counts.delay("", "FeedbackLag", 7)
    assert list(metric_counts) == [("receipts", "FeedbackLag", 900), ("", "FeedbackLag", 7)]


def test_a_negative_delay_counts_as_zero() -> None:
    metric_counts = MetricCounts()
    metric_counts.delay("", "FeedbackLag", -3)
    assert list(metric_counts) == [("", "FeedbackLag", 0)]


def test_a_delay_is_not_a_count() -> None:
    metric_counts = MetricCounts()
    metric_counts.delay("", "FeedbackLag", 9)
    assert metric_counts.counts == {}


def test_new_metric_counts_are_empty_after_others_counted() -> None:
    MetricCounts().count("", "Send")
    assert list(MetricCounts()) == []


def test_including_others_adds_counts_and_keeps_the_longest_delays() -> None:
    counts, others = MetricCounts(), MetricCounts()
    counts.count("receipts", "Delivery", 2)
    counts.delay("receipts", "FeedbackLag", 500)
    counts.delay("news", "FeedbackLag", 10)
    counts.by_provider["gmail", "DeliveryDelay"] = 1
    others.count("receipts", "Delivery", 3)
    others.count("news", "Complaint")
    others.delay("receipts", "FeedbackLag", 400)
    others.delay("news", "FeedbackLag", 20)
    others.by_provider["gmail", "DeliveryDelay"] = 2
    counts.include(others)
    assert sorted(counts) == [
        ("news", "Complaint", 1),
        ("news", "FeedbackLag", 20),
        ("receipts", "Delivery", 5),
        ("receipts", "FeedbackLag", 500),
    ]
    assert counts.by_provider == {("gmail", "DeliveryDelay"): 3}
