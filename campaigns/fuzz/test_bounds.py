"""A slice of `python -m campaigns.fuzz --bounds`."""

from campaigns.fuzz.bounds import check_hostile_events

EVENTS = 800


def test_hostile_events_exceed_no_bound() -> None:
    result = check_hostile_events(range(EVENTS))
    assert result.events == EVENTS
    assert result.statistics.dimensions != set()
    assert result.largest_contact > 0
    assert result.exceeded() == []
