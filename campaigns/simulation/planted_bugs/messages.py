"""Planted bugs: how a message is read, judged, stored, quarantined and acknowledged."""

# A planted bug has the signature of the function that it replaces, and uses private names of its module.
# ruff: noqa: ANN401, ARG001, SLF001

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from campaigns.simulation.planted_bugs.planting import planted_bug
from ses_feedback import address
from ses_feedback.immutable import replace
from ses_feedback.judging import judge, recipients
from ses_feedback.processing import pipeline
from ses_feedback.processing.pipeline import Pipeline
from ses_feedback.processing.results import Disposition
from ses_feedback.reading.envelope import Document, open_record

_store_facts = Pipeline._store_facts
_judge_record = Pipeline._judge
_judge_event = judge.judge


def _report_no_failures(_record: Any, _failed: Mapping[str, str]) -> dict[str, str]:
    return {}


def _stop_at_malformed_record(self: Any, records: list[Any], until: datetime | None) -> None:
    """Skip the records after the first malformed one, like a `return` in the loop over records."""
    first = next((number for number, record in enumerate(records) if record.problem), len(records))
    _store_facts(self, records[:first], until)


def _retry_malformed_record(self: Any, record: Any, until: datetime | None) -> Any:
    return Disposition.RETRY, record.problem


def _drop_malformed_record(self: Any, record: Any, until: datetime | None) -> Any:
    return Disposition.IGNORED, ""


def _ignore_quarantine_failure(self: Any, record: Any, until: datetime | None) -> Any:
    self._quarantine.store(record.record.original(), record.problem, "")
    return Disposition.QUARANTINED, record.problem


def _fail_whole_batch(self: Any, records: list[Any], until: datetime | None) -> None:
    _store_facts(self, records, until)
    if any(record.problem for record in records):
        for record in records:
            record.failures = {"all": "malformed"}


def _log_address(address: str, _: str) -> str:
    return address


def _judge_last_destination(self: Any, record: Any) -> Any:
    """Add a fact about the last address of `mail.destination`, which need not have bounced."""
    result: Any = _judge_record(self, record)
    opened = open_record(record) if result.judgement and result.judgement.facts else None
    if isinstance(opened, Document):
        last = opened.fields["mail"]["destination"][-1]
        facts = (*result.judgement.facts, replace(result.judgement.facts[0], address=address.parse_address(last)))
        result.judgement = replace(result.judgement, facts=facts)
    return result


def _judge_first_recipient(*arguments: Any) -> Any:
    judgement = _judge_event(*arguments)
    return replace(judgement, facts=judgement.facts[:1])


def _keep_case(raw: str) -> address.Address:
    parsed = address.parse_address(raw)
    return address.Address(parsed.variant, parsed.variant)


def _drop_facts_of_malformed_message(*arguments: Any) -> Any:
    judgement = _judge_event(*arguments)
    return replace(judgement, facts=()) if judgement.problem else judgement


PLANTED_BUGS = (
    planted_bug("a message is acknowledged although a write failed", (pipeline, "_failures", _report_no_failures)),
    planted_bug("a malformed record ends the loop over records", (Pipeline, "_store_facts", _stop_at_malformed_record)),
    planted_bug("a malformed message stays on its queue", (Pipeline, "_quarantine_record", _retry_malformed_record)),
    planted_bug("a malformed message is dropped", (Pipeline, "_quarantine_record", _drop_malformed_record)),
    planted_bug(
        "a failed write to quarantine counts as done",
        (Pipeline, "_quarantine_record", _ignore_quarantine_failure),
        fault=("send_message", "throttled"),
    ),
    planted_bug("a malformed message fails its batch", (Pipeline, "_store_facts", _fail_whole_batch)),
    planted_bug("the log contains addresses", (pipeline, "contact_hash", _log_address)),
    planted_bug("a bounce is stored for another destination", (Pipeline, "_judge", _judge_last_destination)),
    planted_bug("only the first recipient is judged", (pipeline, "judge", _judge_first_recipient)),
    planted_bug("facts of a malformed message are lost", (pipeline, "judge", _drop_facts_of_malformed_message)),
    planted_bug("the case of the local part separates contacts", (recipients, "parse_address", _keep_case)),
)
"""Planted bugs of this module. Each must break a promise in some case."""
