"""The campaigns can fail: each of these bugs, put into the code on purpose, is found by a few payloads."""

import json
import re
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from campaigns.fuzz.bounds import play as play_bounds
from campaigns.fuzz.bounds import storm
from campaigns.fuzz.campaign import play_case
from campaigns.fuzz.growth import HOSTILE, rows
from campaigns.fuzz.invariants import Referee
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


def _no_except(patch: pytest.MonkeyPatch) -> None:
    # Caught are errors that nothing raises.
    for name in ("EnvelopeError", "FeedbackError"):
        patch.setattr(pipeline, name, StopIteration)
    patch.setattr(pipeline, "Exception", StopIteration, raising=False)


def _unknown_error(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pipeline, "EnvelopeError", KeyError)


def _address_in_a_log_line(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pipeline, "contact_hash", lambda text: text)


def _value_in_an_error(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ses_events, "_malformed_fields", lambda error: (str(error.errors()[0]["input"]),))


def _text_in_an_attribute(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(envelope, "_decoded", _quoting)


def _quoting(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise envelope.EnvelopeError(f"not-json: {text[:40]}") from None


def _name_in_the_answer(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(metrics.Metrics, "dimension", lambda _, name: name or "none")


def _written_anew(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Record, "original", lambda record: json.dumps(_or_text(record.content)))


def _or_text(content: object) -> object:
    try:
        return json.loads(content) if isinstance(content, str) else content
    except (ValueError, RecursionError):
        return content


def _anything_is_carried(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quarantine, "SQS_INVALID_CHARACTER", re.compile("(?!)"))


def _only_the_first(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pipeline, "read_records", lambda event: envelope.read_records(event)[:1])


def _last_write_wins(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(contact, "_latest", lambda one, other: other or one)


def _history_again_and_again(patch: pytest.MonkeyPatch) -> None:
    real, numbers = history.history_item, count()

    def numbered(*arguments: Any) -> Any:  # noqa: ANN401 (history_item's own)
        item = real(*arguments)
        return {**item, "record": {"S": f"{item['record']['S']}{next(numbers)}"}}

    patch.setattr("ses_feedback.contacts.repository.history_item", numbered)


def _faults_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pipeline, "_failures", lambda *_: {})


def _kept_or_not(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quarantine, "fault", lambda _: "")


BUGS: dict[str, tuple[Patch, str]] = {
    "an except removed": (_no_except, "P5"),
    "an error of another kind": (_unknown_error, "P5"),
    "a record beyond the first forgotten": (_only_the_first, "P5"),
    "a character SQS does not carry": (_anything_is_carried, "P5"),
    "an address in a log line": (_address_in_a_log_line, "P7"),
    "a value in an error": (_value_in_an_error, "P7"),
    "the message in a queue attribute": (_text_in_an_attribute, "P7"),
    "any configuration set in the metrics": (_name_in_the_answer, "P7"),
    "the quarantine writes the message anew": (_written_anew, "P2"),
    "faults of the table forgotten": (_faults_are_forgotten, "P2"),
    "faults of the quarantine forgotten": (_kept_or_not, "P2"),
    "the last write wins": (_last_write_wins, "P6"),
    "history is kept again and again": (_history_again_and_again, "P1"),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some case of the first few breaks the rule that this bug breaks."""
    patch, rule = BUGS[bug]
    patch(monkeypatch)
    referee = Referee()
    assert any(violation.rule == rule for case in CASES for violation in play_case(referee, case))


def test_too_many_dimensions_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the cap, hostile names each cost a metric."""
    monkeypatch.setattr(metrics.Metrics, "dimension", lambda _, name: name or "none")
    assert any("dimension" in said for said in play_bounds(range(1_000)).broken())


def test_calls_above_the_rate_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without rate_limiter, SES is called as fast as it answers."""
    monkeypatch.setattr(rate_limiter.RateLimiter, "acquire", lambda *_: None)
    assert any("calls of SES" in said for said in storm(100, 100, 1.0).broken())


def test_a_quadratic_loop_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparing every recipient to every other shows in the calls counted."""
    real = judge.judge

    # A function in Python: growth is measured in calls of those, and facts compare themselves in C.
    def differ(one: Fact, other: Fact) -> bool:
        return one != other

    def careful(*arguments: Any) -> Any:  # noqa: ANN401 (judge's own)
        judgement = real(*arguments)
        assert all(differ(one, other) for one in judgement.facts for other in judgement.facts if one is not other)
        return judgement

    monkeypatch.setattr(pipeline, "judge", careful)
    [row] = rows({"bounced recipients": (320, HOSTILE["bounced recipients"][1])})
    assert not row.counts_linear
