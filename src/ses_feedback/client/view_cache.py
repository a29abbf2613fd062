"""A bounded cache of contact views, each valid for a time."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from ses_feedback.client.contact_view import ContactView


class ViewCache:
    """At most `size` views, the most recently read ones, each for `seconds`. Threads may share it.

    With `size` 0, it is always empty.
    """

    def __init__(self, size: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._views: OrderedDict[str, tuple[float, ContactView]] = OrderedDict()

    def get(self, key: str) -> ContactView | None:
        """Return the view of a contact if it was read within the time, or None."""
        with self._lock:
            entry = self._views.get(key)
            if entry is None:
                return None
            if entry[0] <= self._clock():
                del self._views[key]
                return None
            return entry[1]

    def put(self, key: str, view: ContactView) -> None:
        """Keep a view that was just read."""
        with self._lock:
            self._views[key] = (self._clock() + self._seconds, view)
            self._views.move_to_end(key)
            if len(self._views) > self._size:
                self._views.popitem(last=False)

    def __len__(self) -> int:
        """Return the number of views in memory."""
        return len(self._views)
