"""Answers for many addresses: order, number of calls, and memory."""

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import repeat
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ses_feedback.client.contact_view import READ_AT_ONCE
from ses_feedback.client.ordered_answers import ATTEMPTS, MAX_REMEMBERED, MAX_WAITING, OrderedAnswers


class Reader:
    """Answers a batch, except the keys that `leaves` selects. An answer is True if the key has an even number."""

    def __init__(self, leaves: Callable[[str], bool] = lambda _: False) -> None:
        self.batches: list[list[str]] = []
        self.pauses: list[float] = []
        self.given_up = 0
        self._leaves = leaves

    def __call__(self, keys: Collection[str]) -> dict[str, bool]:
        self.batches.append(list(keys))
        return {key: expected(key) for key in keys if not self._leaves(key)}

    def ask(self, addresses: Iterable[str]) -> OrderedAnswers:
        return OrderedAnswers(addresses, find=self.find, read=self, give_up=self.give_up, sleep=self.pauses.append)

    def find(self, address: str) -> tuple[str, bool | None]:
        return address.lower(), False if address == "unusable" else None

    def give_up(self) -> bool:
        self.given_up += 1
        return False


def expected(key: str) -> bool:
    return not int(key.partition("@")[0]) % 2


def addresses(number: int) -> list[str]:
    return [f"{index}@example.com" for index in range(number)]


def test_ten_thousand_addresses_take_a_hundred_calls_and_keep_their_order() -> None:
    reader, asked = Reader(), addresses(10_000)
    assert list(reader.ask(asked)) == [(address, expected(address)) for address in asked]
    assert [len(batch) for batch in reader.batches] == [READ_AT_ONCE] * 100
    assert reader.pauses == []


def test_ten_thousand_addresses_take_at_most_110_calls_if_five_percent_are_left_unprocessed() -> None:
    random = Random(1)  # noqa: S311 (repeatable chance)
    reader, asked = Reader(lambda _: random.random() < 0.05), addresses(10_000)
    assert list(reader.ask(asked)) == [(address, expected(address)) for address in asked]
    assert len(reader.batches) <= 110
    assert reader.given_up == 0


def test_keys_left_unprocessed_join_the_next_batch_after_a_pause_that_grows() -> None:
    reader = Reader(lambda key: key == "3@example.com")
    asked = addresses(250)
    assert list(reader.ask(asked)) == [(one, expected(one)) for one in asked]
    assert reader.given_up == 1
    assert [batch[0] for batch in reader.batches[:3]] == ["0@example.com", "3@example.com", "3@example.com"]
    assert sum("3@example.com" in batch for batch in reader.batches) == ATTEMPTS
    longest = [min(1.0, 0.05 * 2**attempt) for attempt in range(1, ATTEMPTS)]
    assert all(half / 2 <= pause <= half for pause, half in zip(reader.pauses, longest, strict=True))


def test_a_duplicate_is_asked_once_however_it_is_written() -> None:
    reader = Reader()
    asked = [*addresses(150), *(one.upper() for one in addresses(150)), *addresses(150)]
    assert [answer for _, answer in reader.ask(asked)] == [expected(one.lower()) for one in asked]
    assert [len(batch) for batch in reader.batches] == [100, 50]


def test_an_address_with_an_answer_needs_no_read() -> None:
    reader = Reader()
    assert list(reader.ask(["unusable", "2@example.com", "unusable"])) == [
        ("unusable", False),
        ("2@example.com", True),
        ("unusable", False),
    ]
    assert reader.batches == [["2@example.com"]]


def test_no_address_needs_no_call() -> None:
    reader = Reader()
    assert (list(reader.ask([])), reader.batches) == ([], [])


def test_a_batch_is_read_before_the_next_addresses_are_taken() -> None:
    """Answers are fresh if the iterator is consumed while emails are sent."""
    taken = []

    def source() -> Iterator[str]:
        for address in addresses(1_000):
            taken.append(address)
            yield address

    reader = Reader()
    answers = iter(reader.ask(source()))
    for _ in range(100):
        next(answers)
    assert (len(taken), len(reader.batches)) == (100, 1)


@pytest.mark.parametrize("copies", [["0@example.com"], ["unusable"], ["0@example.com", "1@example.com"]])
def test_endless_copies_are_answered_in_bounded_memory(copies: list[str]) -> None:
    taken = 0

    def source() -> Iterator[str]:
        nonlocal taken
        for some in repeat(copies):
            for address in some:
                taken += 1
                yield address

    reader = Reader()
    answers = iter(reader.ask(source()))
    for count in range(1, 10_000):
        next(answers)
        assert taken - count <= MAX_WAITING


def test_remembered_answers_are_bounded() -> None:
    reader = Reader()
    asked = addresses(MAX_REMEMBERED + 500)
    ordered = reader.ask(asked)
    assert len(list(ordered)) == len(asked)
    assert len(ordered._remembered) == MAX_REMEMBERED  # noqa: SLF001 (the memory is the subject)


@given(
    st.lists(st.integers(0, 300).map("{}@example.com".format), max_size=500),
    st.integers(0, 2**32),
    st.sampled_from((0.0, 0.1, 0.5, 1.0)),
)
def test_each_address_gets_one_answer_in_order_whatever_is_left_unprocessed(
    asked: list[str], seed: int, left: float
) -> None:
    random = Random(seed)  # noqa: S311 (repeatable chance)
    reader = Reader(lambda _: random.random() < left)
    answers = list(reader.ask(asked))
    assert [address for address, _ in answers] == asked
    wrong = {address for address, answer in answers if answer != expected(address)}
    assert len(wrong) <= reader.given_up
    assert all(len(batch) == len(set(batch)) <= READ_AT_ONCE for batch in reader.batches)
