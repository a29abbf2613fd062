"""Design bugs: what becomes of messages."""

# Mutants stand where the real thing does, and so reach into it and take what it takes.
# ruff: noqa: ANN401, ARG001, SLF001

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from campaigns.simulation.planted_bugs.planting import mutant
from ses_feedback import address
from ses_feedback.immutable import replace
from ses_feedback.judging import judge
from ses_feedback.processing import pipeline
from ses_feedback.processing.results import Disposition
from ses_feedback.reading.envelope import Document, open_record


def _failures_swallowed(_one: Any, _failed: Mapping[str, str]) -> dict[str, str]:
    return {}


def _return_in_the_loop(self: Any, read: list[Any], until: datetime | None) -> None:
    """Stop at the first record that can't be acted on, as a `return` in the record loop does."""
    first = next((number for number, one in enumerate(read) if one.problem), len(read))
    _store_all(self, read[:first], until)


_store_all = pipeline.Pipeline._store_facts


def _poison_stays(self: Any, one: Any, until: datetime | None) -> Any:
    return Disposition.RETRY, one.problem


def _poison_dropped(self: Any, one: Any, until: datetime | None) -> Any:
    return Disposition.IGNORED, ""


def _quarantine_hoped_for(self: Any, one: Any, until: datetime | None) -> Any:
    self._quarantine.store(one.record.original(), one.problem, "")
    return Disposition.QUARANTINED, one.problem


def _batch_fails_together(self: Any, read: list[Any], until: datetime | None) -> None:
    _store_all(self, read, until)
    if any(one.problem for one in read):
        for one in read:
            one.failures = {"all": "poison"}


def _raw_addresses(address: str) -> str:
    return address


def _destination(self: Any, record: Any) -> Any:
    """Take the address from `mail.destination`, not from the bounce."""
    read: Any = _read_record(self, record)
    opened = open_record(record) if read.judgement and read.judgement.facts else None
    if isinstance(opened, Document):
        last = opened.fields["mail"]["destination"][-1]
        facts = (*read.judgement.facts, replace(read.judgement.facts[0], address=address.parse_address(last)))
        read.judgement = replace(read.judgement, facts=facts)
    return read


_read_record = pipeline.Pipeline._judge


def _first_recipient(*arguments: Any) -> Any:
    judgement = _judge(*arguments)
    return replace(judgement, facts=judgement.facts[:1])


_judge = judge.judge


def _case_kept(raw: str) -> address.Address:
    found = address.parse_address(raw)
    return address.Address(found.variant, found.variant)


def _problem_forgets_facts(*arguments: Any) -> Any:
    judgement = _judge(*arguments)
    return replace(judgement, facts=()) if judgement.problem else judgement


MUTANTS = (
    mutant("acknowledged before it is stored", (pipeline, "_failures", _failures_swallowed)),
    mutant("return in the record loop", (pipeline.Pipeline, "_store_facts", _return_in_the_loop)),
    mutant("poison stays on the queue", (pipeline.Pipeline, "_quarantine_record", _poison_stays)),
    mutant("poison is dropped", (pipeline.Pipeline, "_quarantine_record", _poison_dropped)),
    mutant("quarantine is hoped for", (pipeline.Pipeline, "_quarantine_record", _quarantine_hoped_for)),
    mutant("poison fails its batch", (pipeline.Pipeline, "_store_facts", _batch_fails_together)),
    mutant("addresses in the log", (pipeline, "contact_hash", _raw_addresses)),
    mutant("the address is mail.destination's", (pipeline.Pipeline, "_judge", _destination)),
    mutant("only the first recipient", (pipeline, "judge", _first_recipient)),
    mutant("facts beside poison are lost", (pipeline, "judge", _problem_forgets_facts)),
    mutant("the case of the local part tells contacts apart", (judge, "parse_address", _case_kept)),
)
"""Every design bug of this kind that is tried."""
