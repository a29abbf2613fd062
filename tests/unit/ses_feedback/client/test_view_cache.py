"""The cache of contact views."""

from ses_feedback.client.contact_view import UNKNOWN, ContactView
from ses_feedback.client.view_cache import ViewCache

BLOCKED = ContactView(may_send=False, may_send_transactional=False)


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_a_view_is_returned_until_its_time_has_passed() -> None:
    clock = Clock()
    cache = ViewCache(10, 60, clock)
    cache.put("a@example.com", BLOCKED)
    clock.seconds += 59.9
    assert cache.get("a@example.com") == BLOCKED
    clock.seconds += 0.1
    assert (cache.get("a@example.com"), len(cache)) == (None, 0)


def test_reading_from_the_cache_does_not_extend_the_time() -> None:
    clock = Clock()
    cache = ViewCache(10, 60, clock)
    cache.put("a@example.com", UNKNOWN)
    for _ in range(3):
        clock.seconds += 29
        cache.get("a@example.com")
    assert cache.get("a@example.com") is None


def test_a_full_cache_drops_the_view_that_was_read_longest_ago() -> None:
    cache = ViewCache(2, 60, Clock())
    for address in ("a@example.com", "b@example.com", "a@example.com", "c@example.com"):
        cache.put(address, UNKNOWN)
    assert [cache.get(f"{name}@example.com") for name in "abc"] == [UNKNOWN, None, UNKNOWN]
    assert len(cache) == 2
