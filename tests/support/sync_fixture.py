"""Fixture for tests of ListSync: fakes of its collaborators, and refusals of SES."""

from datetime import timedelta
from itertools import count

from ses_feedback.aws.refusals import Refusal, RefusalKind
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.status import Limits
from ses_feedback.judging.facts import Fact, ListReason
from ses_feedback.suppression.report import SyncReport
from ses_feedback.suppression.sync import ListSync
from tests.support.builders import RECIPIENT
from tests.support.deployed_functions import TIMEOUT, reinstated
from tests.support.fakes import FakeContacts, FakeEventPublisher, FakeRateLimiter, FakeSuppressionList, ManualClock

BOUNCE, COMPLAINT = ListReason.BOUNCE, ListReason.COMPLAINT
THROTTLED = Refusal(RefusalKind.THROTTLED, "TooManyRequestsException")
UNAVAILABLE = Refusal(RefusalKind.UNAVAILABLE, "InternalServiceErrorException")
UNANSWERED = Refusal(RefusalKind.UNANSWERED, "ReadTimeoutError")
REJECTED = Refusal(RefusalKind.REJECTED, "BadRequestException")
LIMITS = Limits()


class SyncFixture:
    """Fakes of the collaborators of ListSync, shared by any number of workers."""

    def __init__(self, *, sandbox: bool = False, rate: float = 1.0, limits: Limits = LIMITS) -> None:
        """Start at noon, without contacts."""
        self.clock = ManualClock()
        self.limits = limits
        self.contacts = FakeContacts(limits, now=self.clock.now)
        self.list = FakeSuppressionList(sandbox=sandbox)
        self.publisher = FakeEventPublisher()
        self.rate_limiter = FakeRateLimiter(self.clock, rate)
        self._worker_numbers = count()

    def worker(self, name: str = "worker") -> ListSync:
        """Return the ListSync of a new worker, whose name begins with `name`."""
        collaborators = self.contacts, self.list, self.publisher, self.rate_limiter, self.limits
        return ListSync(*collaborators, now=self.clock.now, worker=f"{name}-{next(self._worker_numbers)}")

    def learn(self, *facts: Fact) -> None:
        """Store facts."""
        assert self.contacts.learn(facts) == {}

    def sync(self, *addresses: str, worker: str = "worker", within: timedelta = TIMEOUT) -> SyncReport:
        """Sync contacts as a new worker, with the deadline `within` from now."""
        return self.worker(worker).sync(addresses or (RECIPIENT,), self.clock.now() + within)

    def sweep(self, *, worker: str = "sweeper", after: timedelta = timedelta(minutes=5)) -> SyncReport:
        """Sweep as a new worker `after` some time."""
        self.clock.sleep(after.total_seconds())
        return self.worker(worker).sweep(self.clock.now() + TIMEOUT)

    def reinstate(self, address: str = RECIPIENT) -> None:
        """Reinstate a contact at the current time."""
        assert self.contacts.write(reinstated(self.contact(address), self.clock.now(), self.limits)) is None

    def contact(self, address: str = RECIPIENT) -> ContactRecord:
        """Return a contact."""
        return self.contacts.read([address], {}, consistent=True)[address]

    def entries(self) -> dict[str, str]:
        """Return the entries of the suppression list, by address."""
        return {address: reason.value for address, reason in self.list.entries.items()}

    def pending(self) -> list[str]:
        """Return the addresses of all pending contacts, the oldest first."""
        return [address for _, address in self.contacts.find_pending(self.clock.now() + timedelta(days=365))]


def dies() -> None:
    """End the worker: no `except Exception` catches this."""
    raise KeyboardInterrupt
