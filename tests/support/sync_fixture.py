"""Where mirrors are tested: fakes of all that they work with, and the answers SES may give."""

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
BROKEN = Refusal(RefusalKind.UNAVAILABLE, "InternalServiceErrorException")
UNANSWERED = Refusal(RefusalKind.UNANSWERED, "ReadTimeoutError")
REFUSED = Refusal(RefusalKind.REJECTED, "BadRequestException")
LIMITS = Limits()


class SyncFixture:
    """Fakes of all that a list_sync works with, which any number of workers share."""

    def __init__(self, *, sandbox: bool = False, rate: float = 1.0, limits: Limits = LIMITS) -> None:
        """Open at noon, with nothing to do."""
        self.clock = ManualClock()
        self.limits = limits
        self.contacts = FakeContacts(limits, now=self.clock.now)
        self.list = FakeSuppressionList(sandbox=sandbox)
        self.publisher = FakeEventPublisher()
        self.rate_limiter = FakeRateLimiter(self.clock, rate)
        self._processes = count()

    def worker(self, name: str = "worker") -> ListSync:
        """Return a worker's list_sync, in a process of its own."""
        parts = self.contacts, self.list, self.publisher, self.rate_limiter, self.limits
        return ListSync(*parts, now=self.clock.now, worker=f"{name}-{next(self._processes)}")

    def learn(self, *facts: Fact) -> None:
        """Store facts."""
        assert self.contacts.learn(facts) == {}

    def sync(self, *addresses: str, worker: str = "worker", within: timedelta = TIMEOUT) -> SyncReport:
        """Let a worker sync contacts."""
        return self.worker(worker).sync(addresses or (RECIPIENT,), self.clock.now() + within)

    def sweep(self, *, worker: str = "sweeper", after: timedelta = timedelta(minutes=5)) -> SyncReport:
        """Let time pass, and a worker sweep."""
        self.clock.sleep(after.total_seconds())
        return self.worker(worker).sweep(self.clock.now() + TIMEOUT)

    def reinstate(self, address: str = RECIPIENT) -> None:
        """Reinstate a contact now."""
        assert self.contacts.write(reinstated(self.contact(address), self.clock.now(), self.limits)) is None

    def contact(self, address: str = RECIPIENT) -> ContactRecord:
        """Return a contact."""
        return self.contacts.read([address], {}, consistent=True)[address]

    def entries(self) -> dict[str, str]:
        """Return the suppression list."""
        return {address: reason.value for address, reason in self.list.entries.items()}

    def due(self) -> list[str]:
        """Return every contact that is due, now or later."""
        return [address for _, address in self.contacts.find_pending(self.clock.now() + timedelta(days=365))]


def dies() -> None:
    """End the process, as far as it knows."""
    raise KeyboardInterrupt
