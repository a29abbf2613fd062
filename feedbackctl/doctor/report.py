"""The diagnosis as text for people, and as JSON."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import click

from feedbackctl.doctor.model import Diagnosis, Finding, Hop, State
from feedbackctl.printable import printable

_SYMBOLS = {
    State.OK: ("✓", "green"),
    State.WARN: ("!", "yellow"),
    State.FAIL: ("✗", "red"),
    State.UNKNOWN: ("?", "yellow"),
    State.SKIPPED: ("-", "white"),
    State.NOT_REACHED: ("·", "white"),
}
_PROBLEMS = frozenset({State.WARN, State.FAIL, State.UNKNOWN})
_SUBJECT_WIDTH = 26
_TITLE_WIDTH = 20


def to_lines(diagnosis: Diagnosis, *, verbose: bool = False) -> Iterator[str]:
    """Yield the lines of the report: each hop, its problems, and with `verbose` all its findings."""
    for hop in diagnosis.hops:
        symbol, color = _SYMBOLS[hop.state]
        yield f"{click.style(symbol, fg=color)} {hop.title:<{_TITLE_WIDTH}} {click.style(hop.state.value, fg=color)}"
        for finding in hop.findings:
            if verbose or finding.state in _PROBLEMS:
                yield from _to_finding_lines(finding)
    yield ""
    yield _conclude(diagnosis)


def to_document(diagnosis: Diagnosis, stack: str, region: str) -> dict[str, Any]:
    """Return the diagnosis as a JSON object."""
    return {
        "stack": stack,
        "region": region,
        "broken": diagnosis.broken.name if diagnosis.broken else None,
        "hops": [_to_hop_document(hop) for hop in diagnosis.hops],
    }


def _to_finding_lines(finding: Finding) -> Iterator[str]:
    symbol, color = _SYMBOLS[finding.state]
    subject, message = printable(finding.subject), printable(finding.message)
    yield f"    {click.style(symbol, fg=color)} {subject:<{_SUBJECT_WIDTH}} {message}"
    for command in finding.commands:
        yield f"        $ {printable(command)}"
    if finding.advice:
        yield f"        {printable(finding.advice)}"
    if finding.url and finding.state is not State.OK:
        yield f"        {finding.url}"


def _to_hop_document(hop: Hop) -> dict[str, Any]:
    findings = [
        {
            "subject": finding.subject,
            "state": finding.state.value,
            "message": finding.message,
            "commands": list(finding.commands),
            "advice": finding.advice,
            "url": finding.url,
        }
        for finding in hop.findings
    ]
    return {"name": hop.name, "title": hop.title, "state": hop.state.value, "findings": findings}


def _conclude(diagnosis: Diagnosis) -> str:
    counts = Counter(each.state for hop in diagnosis.hops for each in hop.findings)
    if diagnosis.broken:
        return f"Feedback stops at: {diagnosis.broken.title}. The hops after it are not reached."
    if diagnosis.is_undetermined:
        return f"No hop is broken as far as it could be read; {counts[State.UNKNOWN]} checks could not be made."
    warnings = counts[State.WARN]
    return "The path of feedback is complete." + (f" Warnings: {warnings}." if warnings else "")
