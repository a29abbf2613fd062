"""The application, around an emulator that returns a fixed response."""

import asyncio
import json
from collections.abc import Collection, Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from localaws.server.asgi_app import AsgiApp
from localaws.server.event_publishing import Publication
from localaws.server.http_messages import Message, Receive, Send
from localaws.server.ministack_internals import Destination, Scope
from localaws.server.request_guard import RequestGuard
from localaws.suppression_list.entries import SuppressionReason
from tests.support.hostile_requests import HOSTILE_REQUESTS, KNOWN_KEY, HostileRequest, sign

if TYPE_CHECKING:
    from localaws.server.ministack_internals import Emulator

AUTHORIZATION = "Credential={}/20260301/us-east-1/{}/aws4_request"
KEY, FUNCTION_KEY = "0123456789abcdef", "ASIA1"
BRIDGE = "172.17.0.1"
SCOPE = Scope("123456789012", "us-east-1")
TOPIC = "arn:aws:sns:us-east-1:123456789012:Topic"
EVENT_TYPES = frozenset({"SEND", "DELIVERY", "BOUNCE", "COMPLAINT"})
ENTRY = {"EmailAddress": "ann@example.com", "Reason": "BOUNCE"}
ADDRESSES = "/v2/email/suppression/addresses"


class FakeEmulator:
    """Responds to every request with `response`, and records publications."""

    def __init__(self) -> None:
        self.response: tuple[int, bytes] = (404, b"{}")
        self.headers = [(b"Content-Length", b"9")]
        self.published: list[Publication] = []
        self.topics: dict[str, str] = {}
        self.fired = False
        self.scopes: list[Message] = []
        self.policies = SimpleNamespace(decisions=set())

    async def app(self, scope: Message, receive: Receive, send: Send) -> None:
        """Send the response."""
        self.scopes.append(scope)
        if scope["type"] == "http":
            await receive()
        start = {"type": "http.response.start", "status": self.response[0], "headers": self.headers}
        await send(start)
        await send({"type": "http.response.body", "body": self.response[1]})

    def scope(self) -> Scope:
        """Return the only account and Region."""
        return SCOPE

    def v1_identities(self) -> list[str]:
        """Return no identity."""
        return []

    def record_sends(self, recipients: int, _configuration_set: str) -> None:
        """Count nothing."""

    def has_configuration_set(self, name: str) -> bool:
        """Return True for the only configuration set."""
        return name == "Ours"

    def destinations(self, configuration_set: str) -> list[Destination]:
        """Return the only destination."""
        return [Destination(TOPIC, EVENT_TYPES)] if configuration_set else []

    def suppressed_reasons(self, _: str) -> Collection[SuppressionReason] | None:
        """Return None, so that the account's reasons apply."""
        return None

    def find_identity(self, _: str) -> tuple[str, Mapping[str, str]]:
        """Return the only identity."""
        return "example.com", self.topics

    def find_function(self, key: str) -> str:
        """Return the only function."""
        return "BounceFunction" if key == FUNCTION_KEY else ""

    def read_object(self, url: str) -> bytes:
        """Return the only object."""
        return b'{"emailAddress": "imported@example.com", "reason": "BOUNCE"}\n' if url == "s3://ours/one" else b""

    def publish(self, publication: Publication) -> None:
        """Record the publication."""
        self.published.append(publication)

    def function_processes(self) -> dict[str, list[int]]:
        """Return no process."""
        return {}

    def fire_schedules(self) -> None:
        """Record the call."""
        self.fired = True


class AppClient:
    """Sends requests to an application around a fake emulator."""

    def __init__(self) -> None:
        self.emulator = FakeEmulator()
        guard = RequestGuard(KEY, [BRIDGE], lambda key: key == FUNCTION_KEY)
        self.app = AsgiApp(cast("Emulator", self.emulator), guard)

    def call(
        self, method: str, path: str, body: object = None, *, service: str = "ses", key: str = KEY
    ) -> tuple[int, Any]:
        """Send a request. Return status and document of the response."""
        headers = {"Host": "127.0.0.1:14566", "Authorization": AUTHORIZATION.format(key, service)}
        sent = self.send(method, path, list(headers.items()), b"" if body is None else json.dumps(body).encode())
        return sent[0]["status"], json.loads(sent[1]["body"])

    def send(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b"") -> list[Message]:
        """Send a request. Return the messages of the response."""
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body}

        async def send(message: Message) -> None:
            sent.append(message)

        encoded = [(name.encode(), value.encode()) for name, value in headers]
        path, _, query = path.partition("?")
        scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": encoded}
        asyncio.run(self.app(scope, receive, send))
        return sent

    def send_email(self, *recipients: str, configuration_set: str = "Ours") -> tuple[int, Any]:
        """Send an email."""
        self.emulator.response = (200, b'{"MessageId": "m-1"}')
        document = {
            "FromEmailAddress": "news@example.com",
            "Destination": {"ToAddresses": recipients},
            "ConfigurationSetName": configuration_set,
        }
        return self.call("POST", "/v2/email/outbound-emails", document)

    def published_events(self) -> list[str]:
        """Return the types of the published events."""
        return [json.loads(publication.message).get("eventType", "") for publication in self.emulator.published]

    def listed_addresses(self) -> list[str]:
        """Return the addresses on the suppression list."""
        return [entry.email_address for entry in self.app.ses.lists[SCOPE].entries()]

    def get_state(self, name: str) -> object:
        """Return a value of the server's state."""
        return self.call("GET", "/_feedbackctl/state")[1][name]


@pytest.fixture
def client() -> AppClient:
    """Return a client of a new application."""
    return AppClient()


def test_request_to_another_service_passes_to_the_emulator_as_https(client: AppClient) -> None:
    client.emulator.response = (200, b'{"fine": true}')
    assert client.call("POST", "/", service="sqs") == (200, {"fine": True})
    assert client.emulator.scopes[0]["scheme"] == "https"


@pytest.mark.parametrize(("kind", "passed"), [("lifespan", 1), ("websocket", 0)])
def test_message_about_the_server_passes_to_the_emulator_and_a_websocket_is_closed(
    client: AppClient, kind: str, passed: int
) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(client.app({"type": kind}, receive, send))
    assert len(client.emulator.scopes) == passed
    assert kind == "lifespan" or sent == [{"type": "websocket.close"}]


@pytest.mark.parametrize("request_", HOSTILE_REQUESTS)
def test_hostile_request_is_refused_before_the_emulator_sees_it(client: AppClient, request_: HostileRequest) -> None:
    """Except for its origin, host or key each request is correct."""
    host = ("Host", f"{request_.host or '127.0.0.1'}:14566")
    headers = [(name, value.replace(KNOWN_KEY, KEY)) for name, value in (host, *request_.headers)]
    sent = client.send(request_.method, request_.path, headers, request_.body)
    assert (sent[0]["status"], client.emulator.scopes, client.app.ses.sent) == (403, [], 0)
    assert json.loads(sent[1]["body"])["message"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "[::1]:14566", "host.docker.internal:14566", BRIDGE])
@pytest.mark.parametrize("headers", [[], [("Sec-Fetch-Site", "none")]], ids=["program", "address bar"])
def test_request_with_the_key_is_admitted_at_every_address_of_the_server(
    client: AppClient, host: str, headers: list[tuple[str, str]]
) -> None:
    client.emulator.response = (200, b"{}")
    sent = client.send("POST", "/", [("Host", host), sign(KEY), *headers])
    assert sent[0]["status"] == 200


@pytest.mark.parametrize("hosts", [[], ["127.0.0.1", "127.0.0.1"]], ids=["no host", "two hosts"])
def test_request_without_exactly_one_host_is_refused(client: AppClient, hosts: list[str]) -> None:
    assert client.send("POST", "/", [*(("Host", host) for host in hosts), sign(KEY)])[0]["status"] == 403


@pytest.mark.parametrize(
    "path", [f"/bucket/object?X-Amz-Credential={KEY}%2F20260301", f"/bucket/object?AWSAccessKeyId={KEY}"]
)
def test_presigned_url_is_admitted(client: AppClient, path: str) -> None:
    client.emulator.response = (200, b"{}")
    assert client.send("GET", path, [("Host", "127.0.0.1")])[0]["status"] == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/bucket/_object", 200),
        ("/_feedbackctl/state", 403),
        ("/_ministack/reset", 403),
        ("//_ministack/reset", 403),
        ("/bucket/../_ministack/reset", 403),
        ("/./_ministack/reset", 403),
    ],
)
def test_key_of_a_function_is_admitted_to_aws_services_only(client: AppClient, path: str, status: int) -> None:
    client.emulator.response = (200, b"{}")
    assert client.call("POST", path, service="sqs", key=FUNCTION_KEY)[0] == status


def test_response_does_not_allow_web_pages_to_read_it(client: AppClient) -> None:
    client.emulator.response = (200, b"{}")
    client.emulator.headers = [(b"Access-Control-Allow-Origin", b"*"), (b"x-amzn-requestid", b"1")]
    names = {
        name.decode().lower() for name, _ in client.send("POST", "/", [("Host", "localhost"), sign(KEY)])[0]["headers"]
    }
    assert names == {"x-amzn-requestid"}


def test_suppression_list_responds_unless_the_emulator_denies_the_request(client: AppClient) -> None:
    client.emulator.response = (403, b'{"message": "no"}')
    assert client.call("PUT", ADDRESSES, ENTRY) == (403, {"message": "no"})
    client.emulator.response = (404, b"{}")
    assert client.call("PUT", ADDRESSES, ENTRY) == (200, {})
    listed = client.call("GET", "/_feedbackctl/suppression-list")[1]
    found = [(entry["address"], entry["reason"], entry["by_ses"]) for entry in listed]
    assert found == [("ann@example.com", "BOUNCE", False)]


def test_sent_email_publishes_its_feedback_to_the_event_destination(client: AppClient) -> None:
    assert client.send_email("complaint@example.com") == (200, {"MessageId": "m-1"})
    assert client.published_events() == ["Send", "Delivery", "Complaint"]
    assert client.emulator.published[0].source_arn.endswith(":configuration-set/Ours")
    assert client.get_state("emails") == 1


def test_second_email_to_a_bounced_address_becomes_an_echo(client: AppClient) -> None:
    client.send_email("bounce@example.com")
    client.send_email("bounce@example.com")
    events = [json.loads(publication.message) for publication in client.emulator.published]
    sub_types = [event.get("bounce", {}).get("bounceSubType") for event in events]
    assert sub_types == [None, "General", None, "OnAccountSuppressionList"]


def test_topic_of_an_identity_receives_a_notification(client: AppClient) -> None:
    client.emulator.topics = {"Delivery": TOPIC}
    client.send_email("ann@example.com", configuration_set="")
    publication = client.emulator.published[0]
    assert json.loads(publication.message)["notificationType"] == "Delivery"
    assert publication.source_arn.endswith(":identity/example.com")


def test_email_with_an_unknown_configuration_set_is_refused(client: AppClient) -> None:
    assert client.send_email("ann@example.com", configuration_set="Theirs")[0] == 404
    assert client.emulator.published == []


def test_sandbox_is_entered_by_an_ses_call_and_left_by_the_control_api(client: AppClient) -> None:
    client.call("POST", "/v2/email/account/details", {"ProductionAccessEnabled": False})
    assert client.call("PUT", ADDRESSES, ENTRY)[0] == 400
    client.call("PUT", "/_feedbackctl/sandbox", body=False)
    assert client.app.ses.lists[SCOPE].sandbox is False


def test_faults_affect_the_calls_of_functions_until_they_end(client: AppClient) -> None:
    client.emulator.response = (200, b"{}")
    error = {"service": "dynamodb", "status": 503, "code": "Away", "calls": 1}
    delay = {"service": "dynamodb", "status": 0, "calls": 1}
    assert client.call("PUT", "/_feedbackctl/faults", [error, delay]) == (200, {})
    statuses = [client.call("POST", "/", service="dynamodb", key=FUNCTION_KEY)[0] for _ in range(3)]
    assert (statuses, client.get_state("faults_met")) == ([503, 200, 200], 2)


def test_delayed_call_of_the_suppression_list_succeeds(client: AppClient) -> None:
    client.call("PUT", "/_feedbackctl/faults", [{"service": "ses", "status": 0, "calls": 1}])
    status, _ = client.call("PUT", ADDRESSES, ENTRY, key=FUNCTION_KEY)
    assert (status, client.listed_addresses()) == (200, ["ann@example.com"])


def test_import_job_reads_its_object_from_the_emulator(client: AppClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localaws.server.ses_service._IMPORT_DURATION", timedelta(0))
    job = {
        "ImportDestination": {"SuppressionListDestination": {"SuppressionListImportAction": "PUT"}},
        "ImportDataSource": {"S3Url": "s3://ours/one", "DataFormat": "JSON"},
    }
    assert client.call("POST", "/v2/email/import-jobs", job)[0] == 200
    assert client.listed_addresses() == ["imported@example.com"]


def test_record_of_permissions_can_be_read_and_deleted(client: AppClient) -> None:
    client.emulator.policies.decisions.add(("role", "sqs:SendMessage", "queue", True))
    assert client.call("GET", "/_feedbackctl/permissions")[1] == [["role", "sqs:SendMessage", "queue", True]]
    client.call("DELETE", "/_feedbackctl/permissions")
    assert client.call("GET", "/_feedbackctl/permissions")[1] == []


def test_held_feedback_is_published_later_in_another_order_and_several_times(client: AppClient) -> None:
    client.call("PUT", "/_feedbackctl/publishing", {"held": True, "copies": 2})
    client.send_email("ann@example.com")
    assert (client.published_events(), client.get_state("held")) == ([], 4)
    client.call("PUT", "/_feedbackctl/publishing", {"order": "reversed"})
    assert client.published_events() == ["Delivery", "Send"] * 2


def test_new_event_destination_receives_a_plain_text_notice(client: AppClient) -> None:
    client.app.ses.publish_destination_notice("Ours", TOPIC)
    notices = [publication.message for publication in client.emulator.published]
    assert notices == ["Successfully validated SNS topic for Amazon SES event publishing."]


def test_schedules_run_on_request(client: AppClient) -> None:
    assert (client.call("POST", "/_feedbackctl/schedules"), client.emulator.fired) == ((200, {}), True)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/_feedbackctl/nothing", None, 404),
        ("PUT", "/_feedbackctl/faults", [{"servise": "x"}], 400),
        ("PUT", "/_feedbackctl/publishing", {"order": "random"}, 400),
    ],
)
def test_invalid_request_to_the_control_api_is_refused_with_a_message(
    client: AppClient, method: str, path: str, body: object, status: int
) -> None:
    response = client.call(method, path, body)
    assert response[0] == status
    assert response[1]["message"]
