"""The order, delay and repetition of publications in an outbox."""

from localaws.server.event_publishing import Outbox, Publication

FIRST, SECOND = Publication("t", "1", "", "a"), Publication("t", "2", "", "a")


def create_outbox(**options: object) -> tuple[Outbox, list[Publication]]:
    """Return an outbox, and the list of its publications."""
    published: list[Publication] = []
    return Outbox(published.append, **options), published  # type: ignore[arg-type]


def test_outbox_publishes_once_in_order_and_at_once_by_default() -> None:
    outbox, published = create_outbox()
    outbox.add([FIRST, SECOND])
    assert published == [FIRST, SECOND]


def test_held_publications_are_released_as_copies_in_reverse_order() -> None:
    outbox, published = create_outbox(is_held=True, copies=2, order="reversed")
    outbox.add([FIRST, SECOND])
    assert (published, len(outbox.pending)) == ([], 4)
    outbox.release()
    assert (published, outbox.pending) == ([SECOND, FIRST, SECOND, FIRST], [])


def test_shuffled_publications_are_complete() -> None:
    outbox, published = create_outbox(copies=3, order="shuffled")
    outbox.add([FIRST, SECOND])
    assert sorted(published) == [FIRST] * 3 + [SECOND] * 3
