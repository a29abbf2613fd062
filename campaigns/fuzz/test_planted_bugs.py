"""The campaign finds planted bugs: each breaks its rule within a few cases."""

import json
import re
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from campaigns.fuzz.bounds import check_hostile_events
from campaigns.fuzz.campaign import check_case
from campaigns.fuzz.growth import measure
from campaigns.fuzz.hostile_inputs import HOSTILE_INPUTS
from campaigns.fuzz.invariants import InvariantChecker
from campaigns.fuzz.storms import simulate_storm
from ses_feedback.aws import metrics, quarantine
from ses_feedback.contacts import contact, history
from ses_feedback.judging import judge
from ses_feedback.judging.facts import Fact
from ses_feedback.processing import pipeline
from ses_feedback.reading import envelope, ses_events
from ses_feedback.reading.envelope import Record
from ses_feedback.suppression import rate_limiter

Patch = Callable[[pytest.MonkeyPatch], None]
CASES = [range(first, first + 10) for first in range(0, 800, 10)]


def _catch_no_error(patch: pytest.MonkeyPatch) -> None:
    for name in ("EnvelopeError", "FeedbackError"):
        patch.setattr(pipeline, name, StopIteration)
    patch.setattr(pipeline, "Exception", StopIteration, raising=False)


def _catch_another_error(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pipeline, "EnvelopeError", KeyError)


def _log_addresses(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pipeline, "contact_hash", lambda text, _: text)


def _quote_malformed_values(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ses_events, "_malformed_fields", lambda error: (str(error.errors()[0]["input"]),))


def _quote_invalid_json(patch: pytest.MonkeyPatch) -> None:
    def decoded(text: str) -> object:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise envelope.EnvelopeError(f"not-json: {text[:40]}") from None

    patch.setattr(envelope, "_decoded", decoded)


def _use_any_configuration_set_as_dimension(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(metrics.Metrics, "dimension", lambda _, name: name or "none")


def _rewrite_quarantined_json(patch: pytest.MonkeyPatch) -> None:
    def parsed(content: object) -> object:
        try:
            return json.loads(content) if isinstance(content, str) else content
        except (ValueError, RecursionError):
            return content

    patch.setattr(Record, "original", lambda record: json.dumps(parsed(record.content)))


def _send_any_character_to_sqs(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quarantine, "SQS_INVALID_CHARACTER", re.compile("(?!)"))


def _read_only_the_first_record(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pipeline, "read_records", lambda event: envelope.read_records(event)[:1])


def _keep_the_last_write(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(contact, "_latest", lambda one, other: other or one)


def _number_history_items(patch: pytest.MonkeyPatch) -> None:
    original, numbers = history.history_item, count()

    def numbered(*arguments: Any) -> Any:  # noqa: ANN401 (those of history_item)
        item = original(*arguments)
        return {**item, "record": {"S": f"{item['record']['S']}{next(numbers)}"}}

    patch.setattr("ses_feedback.contacts.repository.history_item", numbered)


def _ignore_faults_of_the_table(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pipeline, "_failures", lambda *_: {})


def _ignore_faults_of_the_quarantine(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quarantine, "error_code", lambda _: "")


BUGS: dict[str, tuple[Patch, str]] = {
    "no error is caught": (_catch_no_error, "P5"),
    "an error of another type is caught": (_catch_another_error, "P5"),
    "only the first record is read": (_read_only_the_first_record, "P5"),
    "characters that SQS rejects are sent to it": (_send_any_character_to_sqs, "P5"),
    "addresses are logged": (_log_addresses, "P7"),
    "errors quote malformed values": (_quote_malformed_values, "P7"),
    "a queue attribute quotes invalid JSON": (_quote_invalid_json, "P7"),
    "any configuration set is a metric dimension": (_use_any_configuration_set_as_dimension, "P7"),
    "the quarantine rewrites JSON": (_rewrite_quarantined_json, "P2"),
    "faults of the table are ignored": (_ignore_faults_of_the_table, "P2"),
    "faults of the quarantine are ignored": (_ignore_faults_of_the_quarantine, "P2"),
    "the last write wins": (_keep_the_last_write, "P6"),
    "history is stored again for each delivery": (_number_history_items, "P1"),
}


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bug_is_found_within_a_few_cases(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, rule = BUGS[bug]
    plant(monkeypatch)
    checker = InvariantChecker()
    assert any(violation.rule == rule for case in CASES for violation in check_case(checker, case))


def test_too_many_metric_dimensions_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    _use_any_configuration_set_as_dimension(monkeypatch)
    exceeded = check_hostile_events(range(600)).exceeded()
    assert any("metric dimension sets" in description for description in exceeded)


def test_calls_to_ses_without_the_rate_limiter_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limiter.RateLimiter, "acquire", lambda *_: None)
    assert any("calls to SES" in description for description in simulate_storm(100, 100, 1.0).exceeded())


def test_quadratic_comparison_of_recipients_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    original = judge.judge

    # A Python function: calls are counted, and facts compare themselves in C.
    def differ(one: Fact, other: Fact) -> bool:
        return one != other

    def judge_quadratically(*arguments: Any) -> Any:  # noqa: ANN401 (those of judge)
        judgement = original(*arguments)
        assert all(differ(one, other) for one in judgement.facts for other in judgement.facts if one is not other)
        return judgement

    monkeypatch.setattr(pipeline, "judge", judge_quadratically)
    growth = measure("bounced recipients", (320, HOSTILE_INPUTS["bounced recipients"][1]))
    assert not growth.counts_are_linear
