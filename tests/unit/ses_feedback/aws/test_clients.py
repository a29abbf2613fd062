"""Clients connect late, give up early, and take nobody else's answer for AWS's."""

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


def test_clients_are_made_once_and_when_used() -> None:
    """Starting a process connects to nothing; each client is made once, with limits on how long a call may hang."""
    with EmbeddedAws() as aws:
        clients = Clients(aws.session)
        assert set(vars(clients)) == {"_session", "_roots"}
        for name in ("dynamodb", "sqs", "events", "sesv2", "s3"):
            client = getattr(clients, name)
            assert client is getattr(clients, name)
            config = client.meta.config
            assert config.connect_timeout + config.read_timeout <= 12
            assert config.retries["total_max_attempts"] == (1 if name == "sesv2" else ATTEMPTS)


def test_clients_have_a_session_of_their_own() -> None:
    """In Lambda nobody hands one over."""
    with EmbeddedAws():
        assert isinstance(vars(Clients())["_session"], Session)


def test_ses_is_called_once_for_a_call() -> None:
    """Botocore's own retries would count against the one call a second."""
    tried: list[int] = []
    with EmbeddedAws(ManualClock()) as aws:
        client = Clients(aws.session).sesv2
        client.meta.events.register_first("before-send.sesv2", lambda **_: tried.append(1))
        aws.suppression_list.put(RECIPIENT, "BOUNCE")
        with pytest.raises(client.exceptions.TooManyRequestsException):
            client.delete_suppressed_destination(EmailAddress=RECIPIENT)
    assert tried == [1]


class Trusting(Session):
    """A session that remembers what its clients are told to trust."""

    trusted: object = None

    def create_client(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 (botocore's own)
        """Create a client."""
        self.trusted = options["verify"]
        return super().create_client(*arguments, **options)


AMAZONS, BOTOCORES = "amazon.pem", None


@pytest.mark.parametrize(
    ("region", "bundle", "there", "trusted"),
    [
        ("us-east-1", None, "amazon.pem", AMAZONS),
        ("eu-central-1", None, "amazon.pem", AMAZONS),
        ("us-gov-west-1", None, "amazon.pem", AMAZONS),
        ("cn-north-1", None, "amazon.pem", BOTOCORES),
        ("us-east-1", "/etc/ssl/own.pem", "amazon.pem", BOTOCORES),
        ("us-east-1", None, "another.pem", BOTOCORES),
    ],
)
def test_whose_certificates_are_trusted(
    tmp_path: Path, region: str, bundle: str | None, there: str, trusted: str | None
) -> None:
    """Amazon's where it signs; all that botocore is configured to trust elsewhere, and where the code runs unbuilt."""
    (tmp_path / there).touch()
    session = Trusting({"ca_bundle": (None, None, bundle, None)})  # whoever runs this may have a proxy's in a variable
    session.set_credentials("key", "secret")
    session.set_config_variable("region", region)
    assert Clients(session, tmp_path / AMAZONS).dynamodb
    assert session.trusted == (trusted and str(tmp_path / trusted))


def test_aws_is_told_which_sdk_calls() -> None:
    """As botocore would, once for all calls."""
    with EmbeddedAws() as aws:
        agents: list[str] = []
        client = Clients(aws.session).dynamodb
        client.meta.events.register_first("before-send.dynamodb", lambda request, **_: agents.append(agent(request)))
        for _ in range(2):
            client.get_item(TableName=aws.table_name, Key={"address": {"S": "a"}, "record": {"S": "contact"}})
    assert agents[0] == agents[1]
    assert agents[0].startswith(aws.session.user_agent())  # Powertools adds that it is here, too


def agent(request: AWSPreparedRequest) -> str:
    """Return what a request says who makes it."""
    said = request.headers["User-Agent"]
    return said.decode() if isinstance(said, bytes) else said


class _Wire(BytesIO):
    """A body as botocore reads it."""

    def stream(self) -> list[bytes]:
        """Return all of it."""
        return [self.read()]


@pytest.mark.parametrize("header", ["Server: proxy\r\nno header", "X: y"])
def test_nobody_logs_what_is_called_with_which_address(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, header: str
) -> None:
    """The HTTP client warns of a malformed header, and names the URL: of SES's deletions that is the address."""
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
def test_an_answer_that_is_not_awss(service: str, body: bytes) -> None:
    """What a broken proxy answers with a 200 is a fault like any other: the message comes again.

    It is neither acknowledged nor, because its like was not foreseen, quarantined.
    """
    with EmbeddedAws(ManualClock()) as aws:
        clients = Clients(aws.session)
        getattr(clients, service).meta.events.register_first(
            f"before-send.{service}",
            lambda request, **_: _answered(request, 200, body),
        )
        settings = Settings(aws.table_name, aws.quarantine_url)
        handler = feedback.compose(settings, clients, now=aws.clock.now, sleep=aws.clock.sleep)
        event = an_sqs_event(a_bounce() if service == "dynamodb" else "poison")
        answer = handler(event, FakeContext())
        assert answer == {"batchItemFailures": [{"itemIdentifier": "sqs-message-1"}]}
        assert service == "sqs" or aws.quarantined() == []


@pytest.mark.parametrize("operation", ["put_object", "delete_object"])
@pytest.mark.parametrize(("status", "body"), [(200, b"<html>It works!</html>"), (200, b"<Ok/>"), (404, b"<html/>")])
def test_an_answer_that_is_not_s3s(operation: str, status: int, body: bytes) -> None:
    """S3 answers with nothing when it has put or deleted something; its errors are read as ever."""
    with EmbeddedAws() as aws:
        client = Clients(aws.session).s3
        client.meta.events.register_first("before-send.s3", lambda request, **_: _answered(request, status, body))
        with pytest.raises(MalformedResponseError if status == HTTPStatus.OK else ClientError):
            getattr(client, operation)(Bucket="imports", Key="a")


OTHERS_ERRORS = [
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


@pytest.mark.parametrize(("status", "body"), OTHERS_ERRORS)
@pytest.mark.parametrize("service", ["sqs", "events"])
def test_an_error_that_is_not_awss(service: str, status: int, body: bytes) -> None:
    """An SDK would look for a code in it, and fail as if we had a bug."""
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "sqs": ("send_message", {"QueueUrl": "https://sqs/1/quarantine", "MessageBody": "poison"}),
        "events": ("put_events", {"Entries": [{"Source": "ses-feedback"}]}),
    }
    operation, request = calls[service]
    with EmbeddedAws() as aws:
        client = getattr(Clients(aws.session), service)
        client.meta.events.register_first(
            f"before-send.{service}", lambda request, **_: _answered(request, status, body)
        )
        with mock.patch.object(botocore.endpoint, "time"), pytest.raises(ClientError) as raised:
            getattr(client, operation)(**request)
    assert error_code(raised.value) == str(status)


def _answered(request: AWSPreparedRequest, status: int, body: bytes) -> AWSResponse:
    return AWSResponse(request.url, status, HTTPHeaders(), _Wire(body))
