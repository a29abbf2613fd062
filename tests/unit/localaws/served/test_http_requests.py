"""Requests to SES, and which mails they sent."""

import base64
import json
from urllib.parse import urlencode

from localaws.served.http_requests import Answer, Request, Sent, head, sends

SIGNED = "AWS4-HMAC-SHA256 Credential=ASIA123/20260301/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=x"


def a_request(method: str, path: str, body: bytes = b"", service: str = "ses", target: str = "") -> Request:
    """Return a signed request."""
    return Request(method, path, "", {"authorization": SIGNED.format(service), "x-amz-target": target}, body)


def in_v1(**form: str) -> list[Sent]:
    """Return what a call of the first version sent."""
    body = urlencode({name.replace("_", "."): value for name, value in form.items()}).encode()
    answer = Answer(200, {}, b"<SendEmailResponse><MessageId>m-1</MessageId></SendEmailResponse>")
    return sends(a_request("POST", "/", body), answer)


def test_who_calls_what() -> None:
    """Key and service are in the signature, the operation in a header or the path."""
    request = a_request("POST", "/", service="dynamodb", target="DynamoDB_20120810.PutItem")
    assert (request.caller, request.service, request.operation) == ("ASIA123", "dynamodb", "PutItem")
    listing = Request("GET", "/v2/email/account", "", {})
    assert (listing.caller, listing.service, listing.operation) == ("", "", "GET /v2/email/account")


def test_a_head_keeps_the_path_as_it_came() -> None:
    """An address in a path may hold an encoded slash."""
    scope = {
        "method": "GET",
        "path": "/v2/email/suppression/addresses/a/b@example.com",
        "raw_path": b"/v2/email/suppression/addresses/a%2Fb%40example.com",
        "query_string": b"x=1",
        "headers": [(b"Host", b"here")],
    }
    request = head(scope)
    assert (request.path, request.query) == ("/v2/email/suppression/addresses/a%2Fb%40example.com", "x=1")
    assert request.headers == {"host": "here"}
    assert head({**scope, "raw_path": None}).path == "/v2/email/suppression/addresses/a/b@example.com"


def test_send_email_in_both_versions() -> None:
    """They say the same in different words."""
    document = {
        "FromEmailAddress": "news@example.com",
        "Destination": {"ToAddresses": ["ann@example.com"], "BccAddresses": ["bo@example.com"]},
        "Content": {"Simple": {"Subject": {"Data": "Hello"}}},
        "ConfigurationSetName": "Ours",
        "EmailTags": [{"Name": "campaign", "Value": "spring"}],
    }
    answer = Answer(200, {}, b'{"MessageId": "m-1"}')
    second = sends(a_request("POST", "/v2/email/outbound-emails", json.dumps(document).encode()), answer)
    first = in_v1(
        Action="SendEmail",
        Source="news@example.com",
        Destination_ToAddresses_member_1="ann@example.com",
        Destination_BccAddresses_member_1="bo@example.com",
        Message_Subject_Data="Hello",
        ConfigurationSetName="Ours",
        Tags_member_1_Name="campaign",
        Tags_member_1_Value="spring",
    )
    recipients = ("ann@example.com", "bo@example.com")
    expected = Sent("m-1", "SendEmail", "news@example.com", recipients, "Hello", "Ours", {"campaign": "spring"})
    assert first == second == [expected]


def test_a_raw_message_says_the_rest_itself() -> None:
    """Sender, recipients and configuration set may be headers."""
    raw = (
        b"From: News <news@example.com>\r\nTo: Ann <ann@example.com>\r\nCc: bo@example.com\r\n"
        b"Subject: Hello\r\nX-SES-CONFIGURATION-SET: Ours\r\n\r\nHello\r\n"
    )
    data = base64.b64encode(raw).decode()
    recipients = ("ann@example.com", "bo@example.com")
    expected = Sent("m-1", "SendRawEmail", "News <news@example.com>", recipients, "Hello", "Ours", {})
    assert in_v1(Action="SendRawEmail", RawMessage_Data=data) == [expected]
    document = json.dumps({"Content": {"Raw": {"Data": data}}}).encode()
    answer = Answer(200, {}, b'{"MessageId": "m-1"}')
    sent = sends(a_request("POST", "/v2/email/outbound-emails", document), answer)
    assert sent == [expected._replace(operation="SendEmail")]


def test_a_bulk_mail_is_many() -> None:
    """Each entry that was accepted is a mail, with its own tags over the common ones."""
    document = {
        "FromEmailAddress": "news@example.com",
        "DefaultEmailTags": [{"Name": "campaign", "Value": "spring"}],
        "BulkEmailEntries": [
            {"Destination": {"ToAddresses": ["ann@example.com"]}, "ReplacementTags": [{"Name": "n", "Value": "1"}]},
            {"Destination": {"ToAddresses": ["bo@example.com"]}},
        ],
    }
    answer = Answer(200, {}, b'{"BulkEmailEntryResults": [{"MessageId": "m-1"}, {"Status": "MESSAGE_REJECTED"}]}')
    sent = sends(a_request("POST", "/v2/email/outbound-bulk-emails", json.dumps(document).encode()), answer)
    tags = {"campaign": "spring", "n": "1"}
    assert sent == [Sent("m-1", "SendBulkEmail", "news@example.com", ("ann@example.com",), "", "", tags)]


def test_everything_else_sends_nothing() -> None:
    """Refusals, other operations and other services."""
    refused = sends(a_request("POST", "/v2/email/outbound-emails", b"{}"), Answer(400, {}, b"{}"))
    assert (refused, in_v1(Action="VerifyDomainIdentity")) == ([], [])
    assert sends(a_request("POST", "/", b"Action=SendEmail", "sns"), Answer(200, {}, b"")) == []
