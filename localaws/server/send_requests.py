"""The emails that a request to SES sends, in both versions of the API.

https://docs.aws.amazon.com/ses/latest/APIReference/API_SendEmail.html (version 1) and
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html (version 2)
"""

import base64
import json
import re
from collections.abc import Mapping
from email import message_from_bytes, policy
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from localaws.server.http_messages import Request, Response

_SEND = "/v2/email/outbound-emails"
_SEND_BULK = "/v2/email/outbound-bulk-emails"
_V1_ACTIONS = ("SendEmail", "SendRawEmail", "SendTemplatedEmail")
_RECIPIENT_FIELDS = ("ToAddresses", "CcAddresses", "BccAddresses")


class SentEmail(NamedTuple):
    """An email that SES accepted."""

    message_id: str
    operation: str
    source: str
    recipients: tuple[str, ...]
    subject: str
    configuration_set: str
    tags: dict[str, str]


def find_sent_emails(request: Request, response: Response) -> list[SentEmail]:
    """Return the emails that a request sent. Other requests and refused requests send none."""
    if response.status != 200 or request.method != "POST":  # noqa: PLR2004 (OK)
        return []
    if request.path == _SEND:
        return [_read_v2(json.loads(request.body), json.loads(response.body)["MessageId"])]
    if request.path == _SEND_BULK:
        return _read_bulk(json.loads(request.body), json.loads(response.body)["BulkEmailEntryResults"])
    if request.path == "/" and request.service == "ses":
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        message_id = re.search(rb"<MessageId>([^<]+)</MessageId>", response.body)
        if message_id and form.get("Action") in _V1_ACTIONS:
            return [_read_v1(form, message_id[1].decode())]
    return []


def _read_v1(form: Mapping[str, str], message_id: str) -> SentEmail:
    email = SentEmail(
        message_id,
        form["Action"],
        form.get("Source", ""),
        (*_read_members(form, "Destinations"), *_read_v1_recipients(form)),
        form.get("Message.Subject.Data", ""),
        form.get("ConfigurationSetName", ""),
        dict(zip(_read_members(form, "Tags", ".Name"), _read_members(form, "Tags", ".Value"), strict=False)),
    )
    return _add_raw_headers(email, form["RawMessage.Data"]) if "RawMessage.Data" in form else email


def _read_v1_recipients(form: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(address for field in _RECIPIENT_FIELDS for address in _read_members(form, f"Destination.{field}"))


def _read_members(form: Mapping[str, str], name: str, part: str = "") -> tuple[str, ...]:
    """Return the members of a list in the form, which are numbered from 1."""
    members: list[str] = []
    while (value := form.get(f"{name}.member.{len(members) + 1}{part}")) is not None:
        members.append(value)
    return tuple(members)


def _read_v2(document: Mapping[str, Any], message_id: str) -> SentEmail:
    content = document.get("Content", {})
    email = SentEmail(
        message_id,
        "SendEmail",
        document.get("FromEmailAddress", ""),
        _read_recipients(document.get("Destination", {})),
        content.get("Simple", {}).get("Subject", {}).get("Data", ""),
        document.get("ConfigurationSetName", ""),
        _read_tags(document.get("EmailTags")),
    )
    return _add_raw_headers(email, content["Raw"]["Data"]) if "Raw" in content else email


def _read_bulk(document: Mapping[str, Any], results: list[Mapping[str, Any]]) -> list[SentEmail]:
    """Return the accepted entries of SendBulkEmail.

    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendBulkEmail.html
    """
    return [
        SentEmail(
            result["MessageId"],
            "SendBulkEmail",
            document.get("FromEmailAddress", ""),
            _read_recipients(entry.get("Destination", {})),
            "",
            document.get("ConfigurationSetName", ""),
            {**_read_tags(document.get("DefaultEmailTags")), **_read_tags(entry.get("ReplacementTags"))},
        )
        for entry, result in zip(document.get("BulkEmailEntries", []), results, strict=False)
        if "MessageId" in result
    ]


def _read_recipients(destination: Mapping[str, list[str]]) -> tuple[str, ...]:
    return tuple(address for field in _RECIPIENT_FIELDS for address in destination.get(field) or [])


def _read_tags(tags: list[Mapping[str, str]] | None) -> dict[str, str]:
    return {tag["Name"]: tag["Value"] for tag in tags or []}


def _add_raw_headers(email: SentEmail, data: str) -> SentEmail:
    """Add from the headers of a raw message the values that the call itself does not have.

    https://docs.aws.amazon.com/ses/latest/dg/send-email-raw.html
    """
    parsed = message_from_bytes(base64.b64decode(data), policy=policy.default)
    header_recipients = tuple(
        address.addr_spec
        for name in ("To", "Cc", "Bcc")
        for header in parsed.get_all(name, [])
        for address in header.addresses
    )
    return email._replace(
        source=email.source or str(parsed.get("From", "")),
        recipients=email.recipients or header_recipients,
        subject=str(parsed.get("Subject", "")),
        configuration_set=email.configuration_set or str(parsed.get("X-SES-CONFIGURATION-SET", "")).strip(),
    )
