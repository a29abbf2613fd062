"""Publishing of feedback by SES: normally once and at once; on request delayed, repeated and in another order."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

ORDERS = ("kept", "reversed", "shuffled")


class Publication(NamedTuple):
    """A message that SES publishes to a topic or, with `role`, to a Firehose stream.

    `source_arn` is the identity or the configuration set that SES acts for.
    """

    target: str
    message: str
    subject: str
    source_arn: str
    role: str = ""


@dataclass(slots=True)
class Outbox:
    """Publishes at least once and in any order, as SES does.

    SES guarantees no order and no batching (https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html).
    `is_held` delays publications until `release`. `copies` is how often each is published. `order` is the order in
    which delayed publications are published.
    """

    publish: Callable[[Publication], None]
    copies: int = 1
    order: str = "kept"
    is_held: bool = False
    pending: list[Publication] = field(default_factory=list)

    def add(self, publications: list[Publication]) -> None:
        """Add publications, and publish them unless they are held."""
        self.pending += publications * self.copies
        if not self.is_held:
            self.release()

    def release(self) -> None:
        """Publish everything that is pending."""
        publications, self.pending = self.pending, []
        if self.order == "reversed":
            publications.reverse()
        elif self.order == "shuffled":
            random.shuffle(publications)
        for publication in publications:
            self.publish(publication)
