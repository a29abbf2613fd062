"""Attributes of a DynamoDB item as plain values."""

from ses_feedback.contacts.record import Item


def text_of(item: Item, name: str) -> str:
    """Return a text attribute, or an empty text."""
    value = item.get(name, {})
    return str(value["S"]) if "S" in value else ""


def texts_of(item: Item, name: str) -> list[str]:
    """Return a list of texts, or an empty list."""
    return [str(one["S"]) for one in item.get(name, {}).get("L", []) if "S" in one]


def map_of(item: Item, name: str) -> dict[str, str]:
    """Return a map of texts, or an empty one."""
    return {key: str(one["S"]) for key, one in item.get(name, {}).get("M", {}).items() if "S" in one}
