"""`Contacts`: the rules of the answer, failures, the cache, and the ways to give the table."""

import logging
import tracemalloc
from collections.abc import Iterator
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.exceptions import ClientError, ParamValidationError, ReadTimeoutError

from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.client import Contacts, ContactsUnavailableError, FeedbackClientError, InvalidArgumentError
from ses_feedback.client.aws_client import ATTEMPTS, CONNECT_TIMEOUT, READ_TIMEOUT
from tests.support.builders import a_contact_item
from tests.support.dynamodb_table import Item, Operations, Table
from tests.support.faulty_client import FaultyClient

ADDRESS = "ada@example.com"
TABLE = "Contacts"


def a_client(*items: Item) -> FaultyClient:
    """Return a client of a table with these items, which records its calls."""
    table = Table()
    for item in items:
        table.put(item)
    return FaultyClient(Operations(table))


def failing(error: Exception) -> FaultyClient:
    """Return a client whose calls raise `error`."""

    def fault(*_: object) -> Any:  # noqa: ANN401
        raise error

    return FaultyClient(Operations(Table()), default_fault=fault)


def answering(answer: object) -> FaultyClient:
    """Return a client whose calls return `answer`."""
    return FaultyClient(Operations(Table()), default_fault=lambda *_: answer)


def throttled() -> ClientError:
    details: Any = {"Error": {"Code": "ThrottlingException", "Message": f"key {ADDRESS}"}}
    return ClientError(details, "GetItem")


def may_send_many(contacts: Contacts, *addresses: str, **options: Any) -> list[bool]:  # noqa: ANN401
    return [answer for _, answer in contacts.may_send_many(addresses, **options)]


# --- The rules ------------------------------------------------------------------------------------------------------


def test_an_address_without_an_item_may_get_every_email() -> None:
    contacts = Contacts(TABLE, client=a_client())
    assert contacts.may_send(ADDRESS)
    assert contacts.may_send(ADDRESS, "newsletter")
    assert contacts.may_send_transactional(ADDRESS)
    assert may_send_many(contacts, ADDRESS, stream="newsletter") == [True]


@pytest.mark.parametrize("may_send", [True, False])
@pytest.mark.parametrize("transactional", [True, False])
def test_each_question_has_its_own_attribute(may_send: bool, transactional: bool) -> None:  # noqa: FBT001
    contacts = Contacts(TABLE, client=a_client(a_contact_item(ADDRESS, may_send=may_send, transactional=transactional)))
    assert contacts.may_send(ADDRESS) is may_send
    assert contacts.may_send(ADDRESS, "newsletter") is may_send
    assert may_send_many(contacts, ADDRESS) == may_send_many(contacts, ADDRESS, stream="newsletter") == [may_send]
    assert contacts.may_send_transactional(ADDRESS) is transactional


def test_an_opt_out_of_a_stream_concerns_that_stream_only() -> None:
    contacts = Contacts(TABLE, client=a_client(a_contact_item(ADDRESS, no_streams=("newsletter", "offers"))))
    assert [contacts.may_send(ADDRESS, stream) for stream in ("newsletter", "offers", "Newsletter", "news", None)] == [
        False,
        False,
        True,
        True,
        True,
    ]
    assert [next(contacts.may_send_many([ADDRESS], stream))[1] for stream in ("newsletter", "news")] == [False, True]
    assert contacts.may_send_transactional(ADDRESS)


@pytest.mark.parametrize(
    "address",
    [ADDRESS, "ADA@Example.COM", "Ada <ada@example.com>", '"Lovelace, Ada" <Ada@example.com>', " ada@example.com. "],
)
def test_every_form_of_an_address_is_the_same_contact(address: str) -> None:
    contacts = Contacts(TABLE, client=a_client(a_contact_item(ADDRESS, may_send=False, transactional=False)))
    assert not contacts.may_send(address)
    assert not contacts.may_send_transactional(address)
    assert list(contacts.may_send_many([address])) == [(address, False)]


def test_an_international_domain_is_the_contact_of_its_a_labels() -> None:
    contacts = Contacts(TABLE, client=a_client(a_contact_item("ada@xn--bcher-kva.example", may_send=False)))
    assert not contacts.may_send("Ada <ada@B\u00dcCHER.example>")


@pytest.mark.parametrize("address", ["", "no-at-sign", "a@example.com, b@example.com", "a@", "a b@example.com"])
def test_an_unusable_address_may_get_no_email_and_is_not_asked(address: str, caplog: pytest.LogCaptureFixture) -> None:
    client = a_client()
    contacts = Contacts(TABLE, client=client, on_failure="open")
    assert not contacts.may_send(address)
    assert not contacts.may_send_transactional(address)
    assert may_send_many(contacts, address, ADDRESS, address) == [False, True, False]
    assert client.count("get_item") == 0
    assert "An address is unusable" in caplog.text
    assert "example" not in caplog.text


# --- Arguments ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", ["", "two words", "*", "x" * 65, "n\u00e9ws"])
def test_an_impossible_stream_raises_before_any_read(stream: str) -> None:
    """No item could name such a stream, so the answer would always be True."""
    client = a_client()
    contacts = Contacts(TABLE, client=client)
    with pytest.raises(InvalidArgumentError, match="a stream's name"):
        contacts.may_send(ADDRESS, stream)
    with pytest.raises(InvalidArgumentError, match="a stream's name"):
        contacts.may_send_many([ADDRESS], stream)
    assert client.calls == []


def test_the_wrong_type_of_an_address_raises() -> None:
    contacts, addresses = Contacts(TABLE, client=a_client()), [None]
    with pytest.raises(InvalidArgumentError, match="not list"):
        contacts.may_send([ADDRESS])  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="not NoneType"):
        list(contacts.may_send_many(addresses))  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="pass a list"):
        contacts.may_send_many(ADDRESS)


@pytest.mark.parametrize(
    "options",
    [
        {"table": ""},
        {"table": None},
        {"table": 5},
        {"table": TABLE, "client": object(), "session": object()},
        {"table": TABLE, "client": object(), "cache_seconds": -1},
        {"table": TABLE, "client": object(), "cache_size": 0},
        {"table": TABLE, "client": object(), "on_failure": "close"},
    ],
)
def test_contradicting_arguments_raise(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError):
        Contacts(**options)


# --- The table ------------------------------------------------------------------------------------------------------


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    """An account with a table that has one blocked contact and one without a stream."""
    with EmbeddedAws() as aws:
        client = aws.client("dynamodb")
        client.put_item(TableName=aws.table_name, Item=a_contact_item(ADDRESS, may_send=False, transactional=False))
        client.put_item(TableName=aws.table_name, Item=a_contact_item("bob@example.com", no_streams=("newsletter",)))
        yield aws


@pytest.mark.parametrize("given", ["client", "session", "Table"])
def test_a_table_is_given_by_name_with_client_or_session_or_as_boto3_table(aws: EmbeddedAws, given: str) -> None:
    session = boto3.session.Session(region_name="us-east-1")
    if given == "Table":
        contacts = Contacts(session.resource("dynamodb").Table(aws.table_name))
    elif given == "client":
        contacts = Contacts(aws.table_name, client=session.client("dynamodb"))
    else:
        contacts = Contacts(aws.table_name, session=session)
    asked = [ADDRESS, "bob@example.com", "new@example.com"]
    assert [contacts.may_send(one) for one in asked] == [False, True, True]
    assert [contacts.may_send(one, "newsletter") for one in asked] == [False, False, True]
    assert [contacts.may_send_transactional(one) for one in asked] == [False, True, True]
    assert [answer for _, answer in contacts.may_send_many(asked, "newsletter")] == [False, False, True]


def test_a_name_alone_uses_the_default_session(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert not Contacts(aws.table_name).may_send(ADDRESS)


def test_a_client_that_the_package_creates_has_short_timeouts() -> None:
    contacts = Contacts(TABLE, session=boto3.session.Session(region_name="us-east-1"))
    config = contacts._table._client.meta.config  # noqa: SLF001 (boto3's client is the result)
    assert (config.connect_timeout, config.read_timeout) == (CONNECT_TIMEOUT, READ_TIMEOUT) == (1, 1)
    assert config.retries["total_max_attempts"] == ATTEMPTS == 3


# --- Failures -------------------------------------------------------------------------------------------------------


FAILURES = {
    "throttled": (failing(throttled()), "ThrottlingException"),
    "timeout": (failing(ReadTimeoutError(endpoint_url="https://dynamodb.example.com")), "ReadTimeoutError"),
    "refused by botocore": (failing(ParamValidationError(report=ADDRESS)), "ParamValidationError"),
    "connection": (failing(ConnectionResetError(ADDRESS)), "ConnectionResetError"),
}


@pytest.mark.parametrize(("client", "code"), FAILURES.values(), ids=FAILURES)
def test_a_failure_raises_by_default_with_its_code_and_without_an_address(client: FaultyClient, code: str) -> None:
    contacts = Contacts(TABLE, client=client)
    for ask in (
        lambda: contacts.may_send(ADDRESS),
        lambda: contacts.may_send_transactional(ADDRESS),
        lambda: list(contacts.may_send_many([ADDRESS])),
    ):
        with pytest.raises(ContactsUnavailableError, match="check the table's name") as raised:
            ask()
        assert (raised.value.code, raised.value.__cause__) == (code, None)
        assert ADDRESS not in str(raised.value)
        assert isinstance(raised.value, FeedbackClientError)


@pytest.mark.parametrize(("choice", "answer"), [("closed", False), ("open", True)])
def test_a_failure_is_answered_as_chosen_and_logged(
    choice: Any,  # noqa: ANN401
    answer: bool,  # noqa: FBT001
    caplog: pytest.LogCaptureFixture,
) -> None:
    chosen, other = Contacts(TABLE, client=failing(throttled()), on_failure=choice), failing(throttled())
    assert chosen.may_send(ADDRESS, "newsletter") is answer
    assert chosen.may_send_transactional(ADDRESS) is answer
    assert may_send_many(chosen, ADDRESS, "bob@example.com") == [answer, answer]
    assert Contacts(TABLE, client=other).may_send(ADDRESS, on_failure=choice) is answer
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 4
    assert "ThrottlingException" in caplog.text
    assert ADDRESS not in caplog.text


def test_the_choice_of_a_call_replaces_the_choice_of_the_object() -> None:
    contacts = Contacts(TABLE, client=failing(throttled()), on_failure="closed")
    assert contacts.may_send_transactional(ADDRESS, on_failure="open")
    assert not contacts.may_send(ADDRESS)
    with pytest.raises(ContactsUnavailableError):
        list(contacts.may_send_many([ADDRESS], on_failure="raise"))
    with pytest.raises(InvalidArgumentError):
        contacts.may_send(ADDRESS, on_failure="close")  # type: ignore[arg-type]


BROKEN_ITEMS: dict[str, dict[str, Any]] = {
    "attributes of another application only": {"may_send": None, "may_send_transactional": None},
    "a text instead of a Boolean": {"may_send": {"S": "false"}},
    "no attribute for transactional email": {"may_send_transactional": None},
    "a null": {"may_send": {"NULL": True}, "may_send_transactional": {"S": "yes"}},
    "streams without a type": {"no_streams": {}},
    "streams that are no list": {"no_streams": {"N": 1}},
}


@pytest.mark.parametrize("broken", BROKEN_ITEMS.values(), ids=BROKEN_ITEMS)
def test_an_item_that_the_stack_did_not_write_is_a_failure_of_that_contact_only(broken: dict[str, Any]) -> None:
    item = {name: value for name, value in (a_contact_item(ADDRESS) | broken).items() if value is not None}
    client = a_client(item, a_contact_item("bob@example.com", may_send=False), a_contact_item("eve@example.com"))
    contacts = Contacts(TABLE, client=client)
    with pytest.raises(ContactsUnavailableError, match='the runbook, "Unreadable contact"'):
        contacts.may_send(ADDRESS)
    asked = ("bob@example.com", ADDRESS, "eve@example.com")
    assert may_send_many(contacts, *asked, on_failure="open") == [False, True, True]
    assert may_send_many(contacts, *asked, on_failure="closed") == [False, False, True]


@pytest.mark.parametrize(
    "answer", [{}, {"Responses": {}}, {"UnprocessedKeys": {}}, {"Responses": None, "UnprocessedKeys": {}}]
)
def test_a_batch_response_that_is_not_from_dynamodb_is_a_failure(answer: dict[str, Any]) -> None:
    """Botocore accepts every status 200. Without the check, no contact would be blocked."""
    with pytest.raises(ContactsUnavailableError, match="check the endpoint"):
        may_send_many(Contacts(TABLE, client=answering(answer)), ADDRESS)


def test_keys_that_stay_unprocessed_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ses_feedback.client.ordered_answers._FIRST_PAUSE", 0)
    key = {"address": {"S": ADDRESS}, "record": {"S": "contact"}}
    client = answering({"Responses": {TABLE: []}, "UnprocessedKeys": {TABLE: {"Keys": [key]}}})
    contacts = Contacts(TABLE, client=client)
    assert may_send_many(contacts, ADDRESS, on_failure="closed") == [False]
    with pytest.raises(ContactsUnavailableError, match="UnprocessedKeys"):
        may_send_many(contacts, ADDRESS)


# --- Many addresses -------------------------------------------------------------------------------------------------


class CountingOperations(Operations):
    """A client that counts calls, and keeps none of their requests in memory."""

    calls = 0

    def batch_get_item(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 (botocore's parameters)
        self.calls += 1
        return super().batch_get_item(**request)


def test_ten_thousand_addresses_take_a_hundred_calls() -> None:
    client = CountingOperations(Table())
    for number in range(0, 10_000, 3):
        client.table.put(a_contact_item(f"{number}@example.com", may_send=False))
    asked = (f"{number}@EXAMPLE.com" for number in range(10_000))
    answers = [answer for _, answer in Contacts(TABLE, client=client).may_send_many(asked)]
    assert answers == [number % 3 != 0 for number in range(10_000)]
    assert client.calls == 100


def test_the_memory_does_not_grow_with_the_number_of_addresses() -> None:
    def peak(number: int) -> int:
        asked = (f"{index}@example.com" for index in range(number))
        tracemalloc.start()
        for _ in Contacts(TABLE, client=CountingOperations(Table())).may_send_many(asked):
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    smaller, larger = peak(11_000), peak(30_000)
    assert smaller < 4_000_000
    assert larger < 1.3 * smaller


def test_a_batch_reads_only_the_attributes_that_it_needs() -> None:
    client = a_client()
    list(Contacts(TABLE, client=client).may_send_many([ADDRESS]))
    [call] = client.calls
    [asked] = call.request["RequestItems"].values()
    assert asked["ProjectionExpression"] == "address, may_send, may_send_transactional, no_streams"
    assert "ConsistentRead" not in asked


# --- The cache ------------------------------------------------------------------------------------------------------


def test_without_cache_seconds_each_question_is_a_read() -> None:
    client = a_client()
    contacts = Contacts(TABLE, client=client)
    assert contacts.may_send(ADDRESS)
    assert contacts.may_send(ADDRESS)
    assert len(client.calls) == 2


def test_the_cache_answers_all_questions_about_a_contact_that_was_read() -> None:
    client = a_client(a_contact_item(ADDRESS, no_streams=("newsletter",)))
    contacts = Contacts(TABLE, client=client, cache_seconds=60)
    assert may_send_many(contacts, ADDRESS, "bob@example.com") == [True, True]
    assert not contacts.may_send("ADA@example.com", "newsletter")
    assert contacts.may_send_transactional("bob@example.com")
    assert may_send_many(contacts, ADDRESS, stream="newsletter") == [False]
    assert len(client.calls) == 1


def test_a_failure_is_not_cached() -> None:
    client = failing(throttled())
    contacts = Contacts(TABLE, client=client, cache_seconds=60, on_failure="open")
    assert contacts.may_send(ADDRESS)
    assert may_send_many(contacts, ADDRESS) == [True]
    client.client.table.put(a_contact_item(ADDRESS, may_send=False))
    client.default_fault = None
    assert not contacts.may_send(ADDRESS)


def test_the_cache_keeps_at_most_its_size() -> None:
    contacts = Contacts(TABLE, client=a_client(), cache_seconds=60, cache_size=10)
    list(contacts.may_send_many(f"{number}@example.com" for number in range(500)))
    assert len(contacts._cache) == 10  # noqa: SLF001 (the memory is the subject)
