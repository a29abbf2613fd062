"""Messages of a case, the facts that each reports, and the clock that dates them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

STREAMS = ("news", "offers", "tips")
"""The streams that the stack declares. None is the configuration set of the messages."""
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""Time at which the virtual clock is 0."""


def format_milliseconds(milliseconds: int) -> str:
    """Return the SES timestamp of `START` plus `milliseconds`."""
    moment = START + timedelta(milliseconds=milliseconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def is_simulator(address: str) -> bool:
    """True if `address` is one of the mailbox simulator, of which SES lists none.

    https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html
    """
    return address.endswith("@simulator.amazonses.com")


@dataclass(frozen=True, slots=True)
class ReportedFact:
    """One fact that a message reports about one address, stated independently of `ses_feedback.judging`.

    `address` is the contact's key, `variant` the address as SES wrote it. `register` is empty if the fact is stored in
    the history only. `feedback` identifies the SES event: copies of a message share it. `mailed_at` and `message_id`
    identify the email, or the preference message; several facts can be about one email. `stream` is that of an opt-out
    or an opt-in, `*` for an opt-in to all email. The `variant` of a preference message is the key.
    """

    address: str
    variant: str
    register: str
    at: str
    reason: str
    configuration_set: str
    verdict: str
    feedback: int
    mailed_at: str = ""
    message_id: str = ""
    status_code: str = ""
    stream: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A message on one of the two lanes (queues).

    It becomes visible `arrives` milliseconds after the start. `number` distinguishes it from its copies.
    `disposition` is the required result: `applied`, `quarantined` or `ignored`.
    """

    kind: str
    body: str
    facts: tuple[ReportedFact, ...]
    disposition: str
    lane: int
    arrives: int
    number: int

    def __str__(self) -> str:
        """Return a description on one line."""
        facts = ", ".join(f"{fact.variant} {fact.register or 'note'} at {fact.at[11:]}" for fact in self.facts)
        source = f"message {self.number} ({self.kind}) on lane {self.lane} from {self.arrives} ms"
        return f"{source}: {facts or self.disposition}"
