"""How publications get out."""

from localaws.served.event_publishing import Outbox, Publication

ONE, TWO = Publication("t", "1", "", "a"), Publication("t", "2", "", "a")


def an_outbox(**how: object) -> tuple[Outbox, list[Publication]]:
    """Return an outbox and what it has published."""
    published: list[Publication] = []
    return Outbox(published.append, **how), published  # type: ignore[arg-type]


def test_everything_goes_out_at_once() -> None:
    """Once and in order, unless told otherwise."""
    outbox, published = an_outbox()
    outbox.add([ONE, TWO])
    assert published == [ONE, TWO]


def test_what_is_held_goes_out_later_in_another_order() -> None:
    """As many copies of each as were asked for."""
    outbox, published = an_outbox(held=True, copies=2, order="reversed")
    outbox.add([ONE, TWO])
    assert (published, len(outbox.waiting)) == ([], 4)
    outbox.release()
    assert (published, outbox.waiting) == ([TWO, ONE, TWO, ONE], [])


def test_shuffling_loses_nothing() -> None:
    """Whatever the order, everything is there."""
    outbox, published = an_outbox(copies=3, order="shuffled")
    outbox.add([ONE, TWO])
    assert sorted(published) == [ONE] * 3 + [TWO] * 3
