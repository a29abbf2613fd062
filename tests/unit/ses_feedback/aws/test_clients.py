"""Clients: when they connect, their timeouts, and responses that are not from AWS."""

import logging
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest import mock

import botocore.endpoint
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError
from botocore.session import Session

from campaigns.wire.http_server import Reply, Server
from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.aws.clients import Clients
from ses_feedback.aws.dynamodb.client import ATTEMPTS
from ses_feedback.aws.errors import MalformedResponseError, error_code
from ses_feedback.handlers import feedback
from ses_feedback.settings import Settings
from tests.support.builders import RECIPIENT, a_bounce, an_sqs_event
from tests.support.deployed_functions import FakeContext
from tests.support.fakes import ManualClock


def test_each_client_is_created_once_on_first_use_with_timeouts() -> None:
    with EmbeddedAws() as aws:
        clients = Clients(aws.session)
        assert set(vars(clients)) == {"_session", "_roots"}
        for name in ("dynamodb", "sqs", "events", "sesv2", "s3"):
            client = getattr(clients, name)
            assert client is getattr(clients, name)
            config = client.meta.config
            assert config.connect_timeout + config.read_timeout <= 12
            assert config.retries["total_max_attempts"] == (1 if name == "sesv2" else ATTEMPTS)


def test_without_a_session_clients_use_the_default_session() -> None:
    with EmbeddedAws():
        assert isinstance(vars(Clients())["_session"], Session)


def test_a_throttled_ses_call_is_not_retried() -> None:
    """Retries by botocore would count against the quota of one call a second."""
    attempts: list[int] = []
    with EmbeddedAws(ManualClock()) as aws:
        client = Clients(aws.session).sesv2
        client.meta.events.register_first("before-send.sesv2", lambda **_: attempts.append(1))
        aws.suppression_list.put(RECIPIENT, "BOUNCE")
        with pytest.raises(client.exceptions.TooManyRequestsException):
            client.delete_suppressed_destination(EmailAddress=RECIPIENT)
    assert attempts == [1]


class RecordingSession(Session):
    """A session that records which certificates its clients trust."""

    trusted: object = None

    def create_client(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 (botocore's own)
        """Create a client; record its `verify` option."""
        self.trusted = options["verify"]
        return super().create_client(*arguments, **options)


AMAZON, BOTOCORE = "amazon.pem", None


@pytest.mark.parametrize(
    ("region", "configured", "existing", "trusted"),
    [
        ("us-east-1", None, "amazon.pem", AMAZON),
        ("eu-central-1", None, "amazon.pem", AMAZON),
        ("us-gov-west-1", None, "amazon.pem", AMAZON),
        ("cn-north-1", None, "amazon.pem", BOTOCORE),
        ("us-east-1", "/etc/ssl/own.pem", "amazon.pem", BOTOCORE),
        ("us-east-1", None, "another.pem", BOTOCORE),
    ],
)
def test_only_amazon_certificates_are_trusted_where_amazon_issues_them(
    tmp_path: Path, region: str, configured: str | None, existing: str, trusted: str | None
) -> None:
    """In other Regions, with a configured bundle, and without a package build, botocore's configuration applies."""
    (tmp_path / existing).touch()
    session = RecordingSession({"ca_bundle": (None, None, configured, None)})  # ignore the environment of this machine
    session.set_credentials("key", "secret")
    session.set_config_variable("region", region)
    assert Clients(session, tmp_path / AMAZON).dynamodb
    assert session.trusted == (trusted and str(tmp_path / trusted))


def test_requests_have_botocores_user_agent() -> None:
    """It is computed once, not for every request."""
    with EmbeddedAws() as aws:
        agents: list[str] = []
        client = Clients(aws.session).dynamodb
        client.meta.events.register_first(
            "before-send.dynamodb", lambda request, **_: agents.append(user_agent(request))
        )
        for _ in range(2):
            client.get_item(TableName=aws.table_name, Key={"address": {"S": "a"}, "record": {"S": "contact"}})
    assert agents[0] == agents[1]
    assert agents[0].startswith(aws.session.user_agent())  # Powertools adds its name


def user_agent(request: AWSPreparedRequest) -> str:
    """Return the user agent of a request."""
    value = request.headers["User-Agent"]
    return value.decode() if isinstance(value, bytes) else value


class _Body(BytesIO):
    """A response body as botocore reads it."""

    def stream(self) -> list[bytes]:
        """Return the whole body."""
        return [self.read()]


@pytest.mark.parametrize("header", ["Server: proxy\r\nno header", "X: y"])
def test_no_logger_prints_the_url_of_a_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, header: str
) -> None:
    """urllib3 warns of a malformed header and prints the URL. The URL of a deletion contains the address."""
    caplog.set_level(logging.DEBUG)
    with Server() as server:
        name, _, value = header.partition(": ")
        server.answer = lambda _: Reply(502, b"{}", {name: value})
        monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", server.url)
        session = Session()
        session.set_credentials("key", "secret")
        session.set_config_variable("region", "us-east-1")
        with pytest.raises(ClientError):
            Clients(session).sesv2.delete_suppressed_destination(EmailAddress=RECIPIENT)
    assert "recipient" not in caplog.text.lower()


GARBAGE = [b"", b"{}", b"<html>It works!</html>", b'{"Responses":', b"[]", b"null", b'"ok"', b"1", b"\xff\xfe"]


@pytest.mark.parametrize("body", GARBAGE)
@pytest.mark.parametrize("service", ["dynamodb", "sqs"])
def test_a_success_that_is_not_from_aws_fails_the_record(service: str, body: bytes) -> None:
    """A broken proxy may send it. The message is neither acknowledged nor quarantined, so it is received again."""
    with EmbeddedAws(ManualClock()) as aws:
        clients = Clients(aws.session)
        getattr(clients, service).meta.events.register_first(
            f"before-send.{service}",
            lambda request, **_: _respond(request, 200, body),
        )
        settings = Settings(aws.table_name, aws.quarantine_url)
        handler = feedback.compose(settings, clients, now=aws.clock.now, sleep=aws.clock.sleep)
        event = an_sqs_event(a_bounce() if service == "dynamodb" else "poison")
        response = handler(event, FakeContext())
        assert response == {"batchItemFailures": [{"itemIdentifier": "sqs-message-1"}]}
        assert service == "sqs" or aws.quarantined() == []


@pytest.mark.parametrize("operation", ["put_object", "delete_object"])
@pytest.mark.parametrize(("status", "body"), [(200, b"<html>It works!</html>"), (200, b"<Ok/>"), (404, b"<html/>")])
def test_an_s3_success_with_a_body_is_malformed(operation: str, status: int, body: bytes) -> None:
    """S3 responds without a body after it put or deleted an object. Errors are parsed as usual."""
    with EmbeddedAws() as aws:
        client = Clients(aws.session).s3
        client.meta.events.register_first("before-send.s3", lambda request, **_: _respond(request, status, body))
        with pytest.raises(MalformedResponseError if status == HTTPStatus.OK else ClientError):
            getattr(client, operation)(Bucket="imports", Key="a")


FOREIGN_ERRORS = [
    (400, b"[]"),
    (403, b"null"),
    (400, b"1"),
    (400, b'{"__type": 5}'),
    (500, b'{"__type": [1]}'),
    (400, b'{"message": {}}'),
    (400, b'{"a":' * 20_000),
    (400, "{}".encode("utf-16")),
    (403, "<html>Zugriff verweigert für ☹</html>".encode("latin-1", "replace")),
]


@pytest.mark.parametrize(("status", "body"), FOREIGN_ERRORS)
@pytest.mark.parametrize("service", ["sqs", "events"])
def test_an_error_that_is_not_from_aws_has_its_status_as_code(service: str, status: int, body: bytes) -> None:
    """Without the hook, botocore would look for a code in the body and fail like a bug."""
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "sqs": ("send_message", {"QueueUrl": "https://sqs/1/quarantine", "MessageBody": "poison"}),
        "events": ("put_events", {"Entries": [{"Source": "ses-feedback"}]}),
    }
    operation, request = calls[service]
    with EmbeddedAws() as aws:
        client = getattr(Clients(aws.session), service)
        client.meta.events.register_first(
            f"before-send.{service}", lambda request, **_: _respond(request, status, body)
        )
        with mock.patch.object(botocore.endpoint, "time"), pytest.raises(ClientError) as raised:
            getattr(client, operation)(**request)
    assert error_code(raised.value) == str(status)


def _respond(request: AWSPreparedRequest, status: int, body: bytes) -> AWSResponse:
    return AWSResponse(request.url, status, HTTPHeaders(), _Body(body))
