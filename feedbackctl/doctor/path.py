"""The path of feedback: its hops in order, and the first broken one."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

from feedbackctl.doctor.aws_reader import NotPermittedError, ReadError
from feedbackctl.doctor.facts import Facts
from feedbackctl.doctor.hops import (
    account,
    alarms,
    configuration_sets,
    event_sources,
    feedback,
    functions,
    identities,
    import_jobs,
    key,
    list_sync,
    queues,
    subscriptions,
    table,
    topics,
)
from feedbackctl.doctor.model import Diagnosis, Finding, Hop, State, unknown, worst

Check = Callable[[Facts], Iterable[Finding]]
_WORKERS = 8


class HopChecks(NamedTuple):
    """A hop, and its checks in order."""

    name: str
    title: str
    checks: tuple[Check, ...]


HOPS = (
    HopChecks("account", "SES account", account.CHECKS),
    HopChecks("identities", "Identities", identities.CHECKS),
    HopChecks("configuration-sets", "Configuration sets", configuration_sets.CHECKS),
    HopChecks("topics", "Topic policies", topics.CHECKS),
    HopChecks("key", "KMS key", key.CHECKS),
    HopChecks("subscriptions", "Subscriptions", subscriptions.CHECKS),
    HopChecks("queues", "Queues", queues.CHECKS),
    HopChecks("event-sources", "Event sources", event_sources.CHECKS),
    HopChecks("functions", "Functions", functions.CHECKS),
    HopChecks("table", "Contacts table", table.CHECKS),
    HopChecks("list", "Suppression list", list_sync.CHECKS),
    HopChecks("imports", "Import jobs", import_jobs.CHECKS),
    HopChecks("alarms", "Alarms", alarms.CHECKS),
    HopChecks("feedback", "Last feedback", feedback.CHECKS),
)
"""The path, from the sending account to the stored feedback."""


def diagnose(facts: Facts, hops: Sequence[HopChecks] = HOPS, *, keep_going: bool = False) -> Diagnosis:
    """Return the state of each hop. The hops after the first broken one are not reached, unless `keep_going`.

    All hops are read at the same time: the readings take seconds, because SES allows one call a second.
    """
    with ThreadPoolExecutor(_WORKERS) as pool:
        by_hop = _judge_inferences(list(pool.map(lambda hop: list(_run(hop, facts)), hops)))
    found: list[Hop] = []
    for hop, findings in zip(hops, by_hop, strict=True):
        if not keep_going and any(each.state is State.FAIL for each in found):
            found.append(Hop(hop.name, hop.title, State.NOT_REACHED))
        else:
            found.append(Hop(hop.name, hop.title, worst(findings), tuple(findings)))
    return Diagnosis(tuple(found))


def _judge_inferences(by_hop: list[list[Finding]]) -> list[list[Finding]]:
    """Return the findings, with inferred failures as warnings if a hop before the last explains the silence."""
    certain = [each for findings in by_hop[:-1] for each in findings if not each.is_inferred]
    if not any(each.state is State.FAIL for each in certain):
        return by_hop
    return [[replace(each, state=State.WARN) if each.is_inferred else each for each in findings] for findings in by_hop]


def _run(hop: HopChecks, facts: Facts) -> Iterator[Finding]:
    """Yield the findings of a hop. A reading that fails is an unknown, never a problem of the hop."""
    for check in hop.checks:
        subject = check.__name__.removeprefix("check_").replace("_", " ")
        try:
            yield from check(facts)
        except NotPermittedError as error:
            advice = f"Allow {error.action}: `feedbackctl iam read` prints the whole policy."
            yield unknown(subject, str(error), advice=advice)
        except ReadError as error:
            yield unknown(subject, f"cannot be read: {error}")
