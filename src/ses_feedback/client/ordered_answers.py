"""Answers for many addresses, in their order, read in batches and in bounded memory."""

import random
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable, Iterator

from ses_feedback.client.contact_view import READ_AT_ONCE

MAX_WAITING = 10 * READ_AT_ONCE
"""Addresses that wait for an answer. Without the limit, copies of one unread address would fill the memory."""
MAX_REMEMBERED = 10_000
"""Answers that are remembered, so that a duplicate is asked once."""
ATTEMPTS = 8
"""Batches in which a key may be left unprocessed."""
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0

Read = Callable[[Collection[str]], dict[str, bool]]
"""Returns the answers for up to 100 keys, without those that were left unprocessed."""


class OrderedAnswers:
    """Yields each address with its answer, in the order of `addresses`.

    Keys that DynamoDB leaves unprocessed join the next batch, after a pause. So the number of calls grows by what is
    left, not by a call for each batch.
    """

    def __init__(
        self,
        addresses: Iterable[str],
        *,
        find: Callable[[str], tuple[str, bool | None]],
        read: Read,
        give_up: Callable[[], bool],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Create the iterator.

        `find` returns the key of an address, and its answer if no read is needed. `give_up` returns the answer for a
        key that stays unprocessed, or raises.
        """
        self._addresses = iter(addresses)
        self._find = find
        self._read = read
        self._give_up = give_up
        self._sleep = sleep
        self._waiting: deque[tuple[str, str, bool | None]] = deque()
        self._unread: dict[str, int] = {}
        self._remembered: OrderedDict[str, bool] = OrderedDict()

    def __iter__(self) -> Iterator[tuple[str, bool]]:
        """Yield pairs of an address and its answer."""
        more = True
        while more or self._waiting:
            more = more and self._fill()
            if self._unread:
                self._read_batch()
            yield from self._answered()

    def _fill(self) -> bool:
        """Take addresses until a batch is full. Return False after the last one."""
        while len(self._unread) < READ_AT_ONCE and len(self._waiting) < MAX_WAITING:
            try:
                address = next(self._addresses)
            except StopIteration:
                return False
            key, answer = self._find(address)
            if answer is None:
                answer = self._remembered.get(key)
            if answer is None:
                self._unread.setdefault(key, 0)
            self._waiting.append((address, key, answer))
        return True

    def _read_batch(self) -> None:
        if any(self._unread.values()):
            self._pause(max(self._unread.values()))
        keys = tuple(self._unread)
        answers = self._read(keys)
        for key in keys:
            if key in answers:
                self._remember(key, answers[key])
            elif self._unread[key] + 1 == ATTEMPTS:
                self._remember(key, self._give_up())
            else:
                self._unread[key] += 1

    def _remember(self, key: str, answer: bool) -> None:  # noqa: FBT001 (the answer)
        del self._unread[key]
        self._remembered[key] = answer
        # An address waits for at most ATTEMPTS batches, so no answer is dropped before it is yielded.
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)

    def _answered(self) -> Iterator[tuple[str, bool]]:
        while self._waiting:
            address, key, answer = self._waiting[0]
            if answer is None:
                answer = self._remembered.get(key)
            if answer is None:
                return
            self._waiting.popleft()
            yield address, answer

    def _pause(self, attempt: int) -> None:
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt)
        self._sleep(longest * random.uniform(0.5, 1))  # noqa: S311 (jitter)
