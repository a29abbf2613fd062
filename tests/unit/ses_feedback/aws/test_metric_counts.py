"""What a batch counts."""

from ses_feedback.aws.metric_counts import Tally


def test_counts_add_up() -> None:
    """By configuration set, and over all of them."""
    tally = Tally()
    tally.count("receipts", "Complaint")
    tally.count("receipts", "Complaint", 2)
    tally.count("", "Complaint")
    tally.count("receipts", "Delivery", 50)
    assert list(tally) == [("receipts", "Complaint", 3), ("", "Complaint", 1), ("receipts", "Delivery", 50)]
    assert [tally.total(name) for name in ("Complaint", "Delivery", "Send")] == [4, 50, 0]


def test_the_longest_delay_is_kept() -> None:
    """A batch has one value of it for each configuration set."""
    tally = Tally()
    for milliseconds in (5, 900, 20):
        tally.delay("receipts", "FeedbackLag", milliseconds)
    tally.delay("", "FeedbackLag", 7)
    assert list(tally) == [("receipts", "FeedbackLag", 900), ("", "FeedbackLag", 7)]


def test_a_negative_delay_is_none() -> None:
    """Clocks disagree."""
    tally = Tally()
    tally.delay("", "FeedbackLag", -3)
    assert list(tally) == [("", "FeedbackLag", 0)]


def test_delays_are_not_counts() -> None:
    """Even of one name."""
    tally = Tally()
    tally.delay("", "FeedbackLag", 9)
    assert tally.total("FeedbackLag") == 0


def test_a_new_tally_holds_nothing() -> None:
    """Nor does it share what another holds."""
    Tally().count("", "Send")
    assert list(Tally()) == []


def test_including_another_adds_counts_and_keeps_the_longest_delays() -> None:
    """Two tallies are as one that saw both."""
    one, other = Tally(), Tally()
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
