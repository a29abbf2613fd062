"""Requests to AWS, and the emails that requests to SES send."""

import base64
import json
from urllib.parse import urlencode

from localaws.server.http_messages import Request, Response, read_head
from localaws.server.send_requests import SentEmail, find_sent_emails

AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=ASIA123/20260301/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=x"
)


def create_request(method: str, path: str, body: bytes = b"", service: str = "ses", target: str = "") -> Request:
    """Return a signed request."""
    return Request(method, path, "", {"authorization": AUTHORIZATION.format(service), "x-amz-target": target}, body)


def send_with_v1(**form: str) -> list[SentEmail]:
    """Return the emails that a call of API version 1 sends."""
    body = urlencode({name.replace("_", "."): value for name, value in form.items()}).encode()
    response = Response(200, {}, b"<SendEmailResponse><MessageId>m-1</MessageId></SendEmailResponse>")
    return find_sent_emails(create_request("POST", "/", body), response)


def test_request_has_the_key_and_service_of_its_signature() -> None:
    request = create_request("POST", "/", service="dynamodb", target="DynamoDB_20120810.PutItem")
    assert (request.access_key, request.service, request.operation) == ("ASIA123", "dynamodb", "PutItem")
    listing = Request("GET", "/v2/email/account", "", {})
    assert (listing.access_key, listing.service, listing.operation) == ("", "", "GET /v2/email/account")


def test_request_keeps_the_percent_encoded_path() -> None:
    """An address in the path can contain an encoded slash."""
    scope = {
        "method": "GET",
        "path": "/v2/email/suppression/addresses/a/b@example.com",
        "raw_path": b"/v2/email/suppression/addresses/a%2Fb%40example.com",
        "query_string": b"x=1",
        "headers": [(b"Host", b"here")],
    }
    request = read_head(scope)
    assert (request.path, request.query) == ("/v2/email/suppression/addresses/a%2Fb%40example.com", "x=1")
    assert request.headers == {"host": "here"}
    assert read_head({**scope, "raw_path": None}).path == "/v2/email/suppression/addresses/a/b@example.com"


def test_both_api_versions_send_the_same_email() -> None:
    document = {
        "FromEmailAddress": "news@example.com",
        "Destination": {"ToAddresses": ["ann@example.com"], "BccAddresses": ["bo@example.com"]},
        "Content": {"Simple": {"Subject": {"Data": "Hello"}}},
        "ConfigurationSetName": "Ours",
        "EmailTags": [{"Name": "campaign", "Value": "spring"}],
    }
    response = Response(200, {}, b'{"MessageId": "m-1"}')
    with_v2 = find_sent_emails(
        create_request("POST", "/v2/email/outbound-emails", json.dumps(document).encode()), response
    )
    with_v1 = send_with_v1(
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
    expected = SentEmail("m-1", "SendEmail", "news@example.com", recipients, "Hello", "Ours", {"campaign": "spring"})
    assert with_v1 == with_v2 == [expected]


def test_headers_of_a_raw_message_complete_the_call() -> None:
    raw = (
        b"From: News <news@example.com>\r\nTo: Ann <ann@example.com>\r\nCc: bo@example.com\r\n"
        b"Subject: Hello\r\nX-SES-CONFIGURATION-SET: Ours\r\n\r\nHello\r\n"
    )
    data = base64.b64encode(raw).decode()
    recipients = ("ann@example.com", "bo@example.com")
    expected = SentEmail("m-1", "SendRawEmail", "News <news@example.com>", recipients, "Hello", "Ours", {})
    assert send_with_v1(Action="SendRawEmail", RawMessage_Data=data) == [expected]
    document = json.dumps({"Content": {"Raw": {"Data": data}}}).encode()
    response = Response(200, {}, b'{"MessageId": "m-1"}')
    sent = find_sent_emails(create_request("POST", "/v2/email/outbound-emails", document), response)
    assert sent == [expected._replace(operation="SendEmail")]


def test_each_accepted_entry_of_a_bulk_call_is_an_email() -> None:
    document = {
        "FromEmailAddress": "news@example.com",
        "DefaultEmailTags": [{"Name": "campaign", "Value": "spring"}],
        "BulkEmailEntries": [
            {"Destination": {"ToAddresses": ["ann@example.com"]}, "ReplacementTags": [{"Name": "n", "Value": "1"}]},
            {"Destination": {"ToAddresses": ["bo@example.com"]}},
        ],
    }
    response = Response(200, {}, b'{"BulkEmailEntryResults": [{"MessageId": "m-1"}, {"Status": "MESSAGE_REJECTED"}]}')
    sent = find_sent_emails(
        create_request("POST", "/v2/email/outbound-bulk-emails", json.dumps(document).encode()), response
    )
    tags = {"campaign": "spring", "n": "1"}
    assert sent == [SentEmail("m-1", "SendBulkEmail", "news@example.com", ("ann@example.com",), "", "", tags)]


def test_refused_and_other_requests_send_no_email() -> None:
    refused = find_sent_emails(create_request("POST", "/v2/email/outbound-emails", b"{}"), Response(400, {}, b"{}"))
    assert (refused, send_with_v1(Action="VerifyDomainIdentity")) == ([], [])
    assert find_sent_emails(create_request("POST", "/", b"Action=SendEmail", "sns"), Response(200, {}, b"")) == []
