"""How what SES publishes gets out: at once and once, or held back, several times and in another order."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

ORDERS = ("kept", "reversed", "shuffled")


class Publication(NamedTuple):
    """A message SES publishes to a topic, acting for an identity or a configuration set; in a `role` to a stream."""

    topic: str
    message: str
    subject: str
    source_arn: str
    role: str = ""


@dataclass(slots=True)
class Outbox:
    """Publishes, as SES promises to: at least once, and in no particular order.

    `held` keeps publications back until it is off again. `copies` is how often each goes out, and `order` in which
    order those held back do.
    """

    publish: Callable[[Publication], None]
    copies: int = 1
    order: str = "kept"
    held: bool = False
    waiting: list[Publication] = field(default_factory=list)

    def add(self, publications: list[Publication]) -> None:
        """Take publications, and let them out unless held."""
        self.waiting += publications * self.copies
        if not self.held:
            self.release()

    def release(self) -> None:
        """Let everything out."""
        going, self.waiting = self.waiting, []
        if self.order == "reversed":
            going.reverse()
        elif self.order == "shuffled":
            random.shuffle(going)
        for publication in going:
            self.publish(publication)
