"""The result of a replay as one JSON object, for scripts."""

from collections.abc import Iterable
from typing import Any

from feedbackctl.replay.result import Finding, ReplayResult
from ses_feedback.contacts.record import Item
from ses_feedback.message_order import date_of_day, day_of_message


def to_json(result: ReplayResult) -> dict[str, Any]:
    """Return the object that `feedbackctl replay --json` prints."""
    return {
        "contacts": [_contact(item) for item in result.contacts],
        "suppression_list": [
            {"address": entry.email_address, "reason": entry.reason.value} for entry in result.suppression_list
        ],
        "metrics": dict(sorted(result.metrics.items())),
        "ignored": _findings(result.ignored),
        "quarantined": _findings(result.quarantined),
    }


def text_attribute(item: Item, name: str) -> str:
    """Return an attribute of an item, or an empty text if the item lacks it."""
    return str(item[name]["S"]) if name in item else ""


def _findings(findings: Iterable[Finding]) -> list[dict[str, str]]:
    return [{"source": finding.source, "why": finding.reason} for finding in findings]


def _contact(item: Item) -> dict[str, Any]:
    delivered_on, soft_bounce_days = _message_days(item, "delivered"), _message_days(item, "soft_bounces")
    return {
        "address": item["address"]["S"],
        "status": item["status"]["S"],
        "may_send": item["may_send"]["BOOL"],
        "may_send_transactional": item["may_send_transactional"]["BOOL"],
        "no_streams": [name["S"] for name in item["no_streams"]["L"]] if "no_streams" in item else [],
        "reason": text_attribute(item, "reason"),
        "status_at": text_attribute(item, "status_at"),
        "delivered_on": delivered_on[-1] if delivered_on else "",
        "soft_bounce_days": soft_bounce_days,
        "variants": [variant["S"] for variant in item["variants"]["L"]],
        "synced": text_attribute(item, "synced"),
        "pending_shard": "pending_shard" in item,
        "release_at": text_attribute(item, "release_at"),
    }


def _message_days(item: Item, name: str) -> list[str]:
    """Return the UTC days of the message numbers in an attribute, sorted."""
    numbers = [int(number["N"]) for number in item[name]["L"]] if name in item else []
    return [date_of_day(day).isoformat() for day in sorted(set(map(day_of_message, numbers)))]
