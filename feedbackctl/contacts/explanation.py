"""All records of a contact in order, in words, and what would undo its status."""

from collections.abc import Iterable
from typing import Any

from feedbackctl.contacts.history import HistoryEntry
from feedbackctl.contacts.sender_faults import explain_sender_fault
from feedbackctl.printable import one_line
from ses_feedback.judging.policy import POLICY

DIAGNOSTIC_LENGTH = 300
_EFFECTS = {rule.name: rule.effect for rule in POLICY}
_ACTIONS = {
    "reinstate": "An operator cleared bounces, list entries and soft bounces",
    "opt-in": "An operator stored the person's request for email",
    "suppress": "An operator stopped all email",
    "unsubscribe": "An operator stored the person's opt-out",
    "resubscribe": "An operator stored the person's opt-in",
    "undo": "An operator took back a reinstatement",
    "import": "An operator imported the contact from another system",
    "reconcile": "An operator had the entry of the suppression list written again",
    "erase": "An operator erased history, reasons and tags",
}
_IMPORT = ("source", "stated_reason", "stated_at")
"""Fields of an import."""


def describe_entry(entry: HistoryEntry) -> dict[str, Any]:
    """Return the JSON object of one history entry."""
    if entry.is_operator_action:
        names = ("action", "caller", "reason", "operation", "stream")
        described = {"at": entry.at, "kind": "Operator", **{name: getattr(entry, name) for name in names}}
        return described | ({name: getattr(entry, name) for name in _IMPORT} if entry.source else {})
    return {
        "at": entry.at,
        "kind": entry.kind,
        "message_id": entry.message_id,
        "type": entry.type,
        "sub_type": entry.sub_type,
        "action": entry.action,
        "status_code": entry.status,
        "diagnostic_code": entry.diagnostic_code,
        "configuration_set": entry.configuration_set,
        "tags": dict(entry.tags),
        "verdict": entry.verdict,
        "rule": entry.rule,
        "effect": _EFFECTS.get(entry.rule, ""),
        "reason": entry.reason,
        "stream": entry.stream,
        "sender_fault": explain_sender_fault(entry.status, entry.diagnostic_code),
    }


def narrate(entries: Iterable[HistoryEntry]) -> Iterable[tuple[str, str]]:
    """Yield time and text of each entry. A text may have several lines."""
    for entry in entries:
        lines = _operator_lines(entry) if entry.is_operator_action else _feedback_lines(entry)
        yield entry.at, "\n".join(lines)


def _operator_lines(entry: HistoryEntry) -> list[str]:
    stream = f" (stream {entry.stream})" if entry.stream else ""
    lines = [f"{_ACTIONS.get(entry.action, entry.action)}{stream}: {one_line(entry.reason, DIAGNOSTIC_LENGTH)}"]
    if entry.source:
        text = f": {one_line(entry.stated_reason, DIAGNOSTIC_LENGTH)}" if entry.stated_reason else ""
        lines.append(f"from {one_line(entry.source, DIAGNOSTIC_LENGTH)}, {entry.stated_at or 'without a date'}{text}")
    lines.append(f"by {entry.caller}" + (f", operation {entry.operation}" if entry.operation else ""))
    return lines


def _feedback_lines(entry: HistoryEntry) -> list[str]:
    title = "/".join(part for part in (entry.type, entry.sub_type) if part)
    via = f", configuration set {entry.configuration_set}" if entry.configuration_set else ""
    lines = [f"{entry.kind} {title}".strip() + via]
    if entry.diagnostic_code or entry.status:
        text = " ".join(part for part in (entry.status, entry.diagnostic_code) if part)
        lines.append(f"mail server: {one_line(text, DIAGNOSTIC_LENGTH)}")
    fault = explain_sender_fault(entry.status, entry.diagnostic_code)
    if fault:
        lines.append(f"sender's fault: {fault}")
    # Policy effects are Markdown in the documents.
    effect = _EFFECTS.get(entry.rule, "").replace("`", "")
    lines.append(f"{entry.verdict} by rule {entry.rule}" + (f": {effect}" if effect else ""))
    if entry.tags:
        lines.append("tags: " + ", ".join(f"{name}={value}" for name, value in entry.tags))
    return lines
