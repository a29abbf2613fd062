"""A case: all the data that determines one run of the simulator."""

from dataclasses import dataclass

from campaigns.simulation.messages import Message, is_simulator


@dataclass(frozen=True, slots=True)
class Reinstatement:
    """An operator's command at the time `at` (milliseconds) for one address.

    `kind` is `cleared`, or `opted_in` if the person asked.
    """

    at: int
    address: str
    kind: str = "opted_in"

    def __str__(self) -> str:
        """Return a description on one line."""
        return f"reinstatement ({self.kind}) of {self.address} at {self.at} ms"


@dataclass(frozen=True, slots=True)
class ForeignWrite:
    """An application adds an attribute of its own to the contact `address` at the time `at` (milliseconds)."""

    at: int
    address: str

    def __str__(self) -> str:
        """Return a description on one line."""
        return f"an application writes to {self.address} at {self.at} ms"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of the `nth` call (from 0) of an operation.

    `number` selects the fault, and its argument, among those that the operation can have (`fault_kinds.FAULTS`).
    """

    operation: str
    nth: int
    number: int


@dataclass(frozen=True, slots=True)
class Switch:
    """A context switch before the `nth` call (from 0) of an operation: `choice` selects the actor that continues."""

    operation: str
    nth: int
    choice: int


@dataclass(frozen=True, slots=True)
class Outage:
    """A service that is unavailable from `begins` to `ends` (seconds): it returns errors, or never answers (`hangs`).

    Two more names are valid: the `stream` delivers no records, and `SuppressionFunction` cannot be invoked.
    """

    service: str
    begins: int
    ends: int
    hangs: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """The input, the faults and the schedule of one run.

    Input: `messages`, `reinstatements`, `foreign_writes`, and `added`, the feedback for which SES itself added a
    suppression-list entry.

    Faults: `faults`, `outages`, and `staleness`, the number of versions by which each eventually consistent read in
    turn is behind. Later reads are not behind. `expiry` has the milliseconds by which DynamoDB deletes each expired
    contact in turn too late; if it is empty, it deletes none.

    Schedule: `switches`, and `choices`, the actor that continues each time one must be selected. Later choices select
    the first actor.

    Stack: the number of `feedback_workers`, stream `shards` and concurrent `sweeps`, the `batch` size, and settings.
    If more than `backlog` contacts are pending, a sweep starts SES import jobs (None: never). `jobs` determine the
    results of these jobs.
    """

    messages: tuple[Message, ...]
    reinstatements: tuple[Reinstatement, ...] = ()
    foreign_writes: tuple[ForeignWrite, ...] = ()
    added: tuple[int, ...] = ()
    faults: tuple[Fault, ...] = ()
    switches: tuple[Switch, ...] = ()
    choices: tuple[int, ...] = ()
    staleness: tuple[int, ...] = ()
    expiry: tuple[int, ...] = ()
    feedback_workers: int = 2
    shards: int = 1
    sweeps: int = 1
    batch: int = 10
    soft_bounces: int = 2
    list_unsubscribed: bool = False
    list_suspended: bool = False
    suspension_days: int = 0
    window_days: int = 90
    deliveries_published: bool = True
    outages: tuple[Outage, ...] = ()
    backlog: int | None = None
    jobs: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Return a description, one line for each input."""
        rows = [*self.messages, *self.reinstatements, *self.foreign_writes, f"entries at the start: {self.entries()}"]
        sizes = f"{self.feedback_workers} feedback workers, {self.shards} shards, batches of {self.batch}"
        return "\n".join([*(f"  {row}" for row in rows), f"  {sizes}"])

    def entries(self) -> dict[str, str]:
        """Return the suppression list at the start: reasons by variant, as echoes report and as SES added them."""
        latest: dict[str, tuple[str, str]] = {}
        variants: dict[str, str] = {}
        for fact in (fact for message in self.messages for fact in message.facts if fact.register):
            if is_simulator(fact.address):
                continue
            echo = fact.register.startswith("listed_")
            if echo or (fact.register in {"bounced", "complained"} and fact.feedback in self.added):
                variants[fact.address] = max(variants.get(fact.address, ""), fact.variant)
                reason = "COMPLAINT" if "compl" in fact.register else "BOUNCE"
                entry = (fact.at if echo else "", reason)
                latest[fact.address] = max(latest.get(fact.address, ("", "")), entry)
        return {variants[address]: reason for address, (_, reason) in latest.items()}
