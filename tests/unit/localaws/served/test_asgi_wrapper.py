"""The application around the emulator, with an emulator that is told what to answer."""

import asyncio
import json
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from localaws.served.asgi_wrapper import Wrapper
from localaws.served.event_publishing import Publication
from localaws.served.http_requests import Message, Receive, Send
from localaws.served.ministack_internals import Destination, Scope
from localaws.ses_list.suppression_list import SuppressionReason

if TYPE_CHECKING:
    from localaws.served.ministack_internals import Emulator

SIGNED = "Credential={}/20260301/us-east-1/{}/aws4_request"
TOPIC = "arn:aws:sns:us-east-1:123456789012:Topic"
ALL = frozenset({"SEND", "DELIVERY", "BOUNCE", "COMPLAINT"})


class FakeEmulator:
    """Answers every request with `answer`, and keeps what was published."""

    def __init__(self) -> None:
        self.answer: tuple[int, bytes] = (404, b"{}")
        self.published: list[Publication] = []
        self.topics: dict[str, str] = {}
        self.fired = False
        self.seen: list[Message] = []
        self.asked: set[tuple[str, str, str, bool]] = set()

    async def app(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer."""
        self.seen.append(scope)
        if scope["type"] == "http":
            await receive()
        await send({"type": "http.response.start", "status": self.answer[0], "headers": [(b"Content-Length", b"9")]})
        await send({"type": "http.response.body", "body": self.answer[1]})

    def scope(self) -> Scope:
        """Return the only account and Region."""
        return Scope("123456789012", "us-east-1")

    def knows_configuration_set(self, name: str) -> bool:
        """Say whether it is ours."""
        return name == "Ours"

    def destinations(self, configuration_set: str) -> list[Destination]:
        """Return the only destination."""
        return [Destination(TOPIC, ALL)] if configuration_set else []

    def suppressed_reasons(self, _: str) -> Collection[SuppressionReason] | None:
        """Leave it to the account."""
        return None

    def identity(self, _: str) -> tuple[str, Mapping[str, str]]:
        """Return the only identity."""
        return "example.com", self.topics

    def function_of(self, key: str) -> str:
        """Return the only function."""
        return "BounceFunction" if key == "ASIA1" else ""

    def read_object(self, url: str) -> bytes:
        """Return the only object."""
        return b'{"emailAddress": "imported@example.com", "reason": "BOUNCE"}\n' if url == "s3://ours/one" else b""

    def publish(self, publication: Publication) -> None:
        """Keep it."""
        self.published.append(publication)

    def workers(self) -> dict[str, list[int]]:
        """Return no process."""
        return {}

    def fire_schedules(self) -> None:
        """Remember that schedules were to fire."""
        self.fired = True


class World:
    """The application and what is behind it."""

    def __init__(self) -> None:
        self.emulator = FakeEmulator()
        self.wrapper = Wrapper(cast("Emulator", self.emulator))

    def call(
        self, method: str, path: str, body: object = None, *, service: str = "ses", key: str = "local"
    ) -> tuple[int, Any]:
        """Make a request; return status and document."""
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"" if body is None else json.dumps(body).encode()}

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [(b"Authorization", SIGNED.format(key, service).encode())]
        scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers}
        asyncio.run(self.wrapper(scope, receive, send))
        return sent[0]["status"], json.loads(sent[1]["body"])

    def send(self, *recipients: str, configuration_set: str = "Ours") -> tuple[int, Any]:
        """Send a mail."""
        self.emulator.answer = (200, b'{"MessageId": "m-1"}')
        document = {
            "FromEmailAddress": "news@example.com",
            "Destination": {"ToAddresses": recipients},
            "ConfigurationSetName": configuration_set,
        }
        return self.call("POST", "/v2/email/outbound-emails", document)

    def events(self) -> list[str]:
        """Return the types of the events published."""
        return [json.loads(one.message).get("eventType", "") for one in self.emulator.published]


@pytest.fixture
def world() -> World:
    """Return a world of its own."""
    return World()


def test_other_services_are_the_emulators(world: World) -> None:
    """A request passes through, over what counts as TLS."""
    world.emulator.answer = (200, b'{"fine": true}')
    assert world.call("POST", "/", service="sqs") == (200, {"fine": True})
    assert world.emulator.seen[0]["scheme"] == "https"


def test_what_is_no_request_passes_through(world: World) -> None:
    """The server's own messages, say."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(world.wrapper({"type": "lifespan"}, receive, send))
    assert world.emulator.seen == [{"type": "lifespan"}]


def test_the_suppression_list_answers_once_the_emulator_has_authorised(world: World) -> None:
    """A refusal is the emulator's; anything else it says about a list that it lacks does not matter."""
    entry = {"EmailAddress": "ann@example.com", "Reason": "BOUNCE"}
    world.emulator.answer = (403, b'{"message": "no"}')
    assert world.call("PUT", "/v2/email/suppression/addresses", entry) == (403, {"message": "no"})
    world.emulator.answer = (404, b"{}")
    assert world.call("PUT", "/v2/email/suppression/addresses", entry) == (200, {})
    listed = world.call("GET", "/_feedbackctl/suppression-list")[1]
    assert [(one["address"], one["reason"], one["by_ses"]) for one in listed] == [("ann@example.com", "BOUNCE", False)]


def test_a_mail_is_answered_for_to_the_event_destination(world: World) -> None:
    """What is sent, delivered and complained about."""
    assert world.send("complaint@example.com") == (200, {"MessageId": "m-1"})
    assert world.events() == ["Send", "Delivery", "Complaint"]
    assert world.emulator.published[0].source_arn.endswith(":configuration-set/Ours")
    assert world.call("GET", "/_feedbackctl/state")[1]["mails"] == 1


def test_ses_lists_what_bounced_and_holds_the_next_mail_back(world: World) -> None:
    """The second mail to an address is an echo."""
    world.send("bounce@example.com")
    world.send("bounce@example.com")
    kinds = [json.loads(one.message).get("bounce", {}).get("bounceSubType") for one in world.emulator.published]
    assert kinds == [None, "General", None, "OnAccountSuppressionList"]


def test_an_identitys_topics_are_told_too(world: World) -> None:
    """In their own vocabulary, and acting for the identity."""
    world.emulator.topics = {"Delivery": TOPIC}
    world.send("ann@example.com", configuration_set="")
    only = world.emulator.published[0]
    assert json.loads(only.message)["notificationType"] == "Delivery"
    assert only.source_arn.endswith(":identity/example.com")


def test_a_configuration_set_must_exist(world: World) -> None:
    """As SES says, and nothing is published."""
    assert world.send("ann@example.com", configuration_set="Theirs")[0] == 404
    assert world.emulator.published == []


def test_the_sandbox_can_be_entered_and_left(world: World) -> None:
    """By SES's own call, or from beside it."""
    entry = {"EmailAddress": "ann@example.com", "Reason": "BOUNCE"}
    world.call("POST", "/v2/email/account/details", {"ProductionAccessEnabled": False})
    assert world.call("PUT", "/v2/email/suppression/addresses", entry)[0] == 400
    world.call("PUT", "/_feedbackctl/sandbox", body=False)
    assert world.wrapper.lists[Scope("123456789012", "us-east-1")].sandbox is False


def test_faults_meet_functions(world: World) -> None:
    """One call is refused, one waits and passes, and then all is well."""
    world.emulator.answer = (200, b"{}")
    refused = {"service": "dynamodb", "status": 503, "code": "Away", "calls": 1}
    slow = {"service": "dynamodb", "status": 0, "calls": 1}
    assert world.call("PUT", "/_feedbackctl/faults", [refused, slow]) == (200, {})
    statuses = [world.call("POST", "/", service="dynamodb", key="ASIA1")[0] for _ in range(3)]
    assert (statuses, world.call("GET", "/_feedbackctl/state")[1]["faults_met"]) == ([503, 200, 200], 2)


def test_a_slow_ses_takes_what_it_is_told(world: World) -> None:
    """The suppression list is there, too, when it was waited for."""
    entry = {"EmailAddress": "ann@example.com", "Reason": "BOUNCE"}
    world.call("PUT", "/_feedbackctl/faults", [{"service": "ses", "status": 0, "calls": 1}])
    answer = world.call("PUT", "/v2/email/suppression/addresses", entry, key="ASIA1")
    listed = world.wrapper.lists[Scope("123456789012", "us-east-1")].entries()
    assert (answer[0], [one.email_address for one in listed]) == (200, ["ann@example.com"])


def test_ses_imports_from_the_emulators_objects(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import job reads its object there."""
    monkeypatch.setattr("localaws.served.asgi_wrapper._IMPORTS_TAKE", timedelta(0))
    job = {
        "ImportDestination": {"SuppressionListDestination": {"SuppressionListImportAction": "PUT"}},
        "ImportDataSource": {"S3Url": "s3://ours/one", "DataFormat": "JSON"},
    }
    assert world.call("POST", "/v2/email/import-jobs", job)[0] == 200
    listed = world.wrapper.lists[Scope("123456789012", "us-east-1")].entries()
    assert [one.email_address for one in listed] == ["imported@example.com"]


def test_what_was_asked_of_roles_can_be_forgotten(world: World) -> None:
    """A drill sees its own."""
    world.emulator.asked.add(("role", "sqs:SendMessage", "queue", True))
    assert world.call("GET", "/_feedbackctl/permissions")[1] == [["role", "sqs:SendMessage", "queue", True]]
    world.call("DELETE", "/_feedbackctl/permissions")
    assert world.call("GET", "/_feedbackctl/permissions")[1] == []


def test_publishing_can_be_held(world: World) -> None:
    """And let go again, several times over."""
    world.call("PUT", "/_feedbackctl/publishing", {"held": True, "copies": 2})
    world.send("ann@example.com")
    assert (world.events(), world.call("GET", "/_feedbackctl/state")[1]["held"]) == ([], 4)
    world.call("PUT", "/_feedbackctl/publishing", {"order": "reversed"})
    assert world.events() == ["Delivery", "Send"] * 2


def test_a_new_destination_gets_a_notice(world: World) -> None:
    """In plain text, as SES has it."""
    world.wrapper.announce_destination("Ours", TOPIC)
    notices = [one.message for one in world.emulator.published]
    assert notices == ["Successfully validated SNS topic for Amazon SES event publishing."]


def test_schedules_can_be_fired(world: World) -> None:
    """At once, all of them."""
    assert (world.call("POST", "/_feedbackctl/schedules"), world.emulator.fired) == ((200, {}), True)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/_feedbackctl/nothing", None, 404),
        ("PUT", "/_feedbackctl/faults", [{"servise": "x"}], 400),
        ("PUT", "/_feedbackctl/publishing", {"order": "random"}, 400),
    ],
)
def test_what_makes_no_sense_is_refused(world: World, method: str, path: str, body: object, status: int) -> None:
    """With a message that says why."""
    answer = world.call(method, path, body)
    assert answer[0] == status
    assert answer[1]["message"]
