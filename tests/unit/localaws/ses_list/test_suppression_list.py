"""The suppression list keeps every rule of SES's own, seen through a real SES client."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localaws.in_process.embedded_aws import EmbeddedAws, VirtualClock
from localaws.ses_list.suppression_list import (
    AccountSuppressionList,
    NotFoundError,
    SuppressedDestination,
    SuppressionListApi,
    SuppressionReason,
    TooManyRequestsError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_sesv2 import SESV2Client

BOUNCE, COMPLAINT = SuppressionReason.BOUNCE, SuppressionReason.COMPLAINT
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def aws() -> "Iterator[EmbeddedAws]":
    """An AWS whose suppression list takes any number of calls."""
    with EmbeddedAws(VirtualClock(NOON), calls_per_second=None) as aws:
        yield aws


@pytest.fixture
def ses(aws: EmbeddedAws) -> "SESV2Client":
    """Its SES."""
    client: SESV2Client = aws.client("sesv2")
    return client


def refusal(call: "Callable[..., Any]", **arguments: object) -> tuple[int, str, str]:
    """Make a call that SES refuses; return the HTTP status, code and message."""
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    response = refused.value.response
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    return status, response["Error"]["Code"], response["Error"]["Message"]


def a_list(clock: VirtualClock, *addresses: str, **options: Any) -> AccountSuppressionList:  # noqa: ANN401
    """A list holding bounces of these addresses, put there in this order by SES, a second apart."""
    suppression_list = AccountSuppressionList(clock.now, **options)
    for address in addresses:
        suppression_list.add_from_feedback(address, BOUNCE, message_id="m", feedback_id="f")
        clock.sleep(1)
    return suppression_list


# Putting, getting, deleting


def test_an_address_put_is_there_with_its_reason_and_time(ses: "SESV2Client") -> None:
    """An address somebody put has a reason and a time, and no attributes."""
    ses.put_suppressed_destination(EmailAddress="ann@example.com", Reason="BOUNCE")
    found = ses.get_suppressed_destination(EmailAddress="ann@example.com")["SuppressedDestination"]
    expected = {"EmailAddress": "ann@example.com", "Reason": "BOUNCE", "LastUpdateTime": NOON}
    assert expected == found


def test_putting_again_changes_reason_and_time(ses: "SESV2Client", aws: EmbeddedAws) -> None:
    """Put is an upsert."""
    ses.put_suppressed_destination(EmailAddress="ann@example.com", Reason="BOUNCE")
    aws.clock.sleep(90)
    ses.put_suppressed_destination(EmailAddress="ann@example.com", Reason="COMPLAINT")
    expected = [SuppressedDestination("ann@example.com", COMPLAINT, NOON + timedelta(seconds=90))]
    assert expected == aws.suppression_list.entries()


def test_a_deleted_address_is_gone(ses: "SESV2Client", aws: EmbeddedAws) -> None:
    """Delete takes an address off the list."""
    ses.put_suppressed_destination(EmailAddress="ann@example.com", Reason="BOUNCE")
    ses.delete_suppressed_destination(EmailAddress="ann@example.com")
    assert aws.suppression_list.entries() == []


def test_an_address_that_is_not_there_is_404(ses: "SESV2Client") -> None:
    """Neither Get nor Delete finds what is not there, and Delete is not idempotent."""
    message = "Email address ann@example.com does not exist on your suppression list."
    expected = (404, "NotFoundException", message)
    assert expected == refusal(ses.get_suppressed_destination, EmailAddress="ann@example.com")
    assert expected == refusal(ses.delete_suppressed_destination, EmailAddress="ann@example.com")


def test_refusals_are_the_modelled_exceptions(ses: "SESV2Client") -> None:
    """A client can catch them by class."""
    with pytest.raises(ses.exceptions.NotFoundException):
        ses.get_suppressed_destination(EmailAddress="ann@example.com")


def test_an_unknown_reason_is_refused_in_words_of_ses(ses: "SESV2Client") -> None:
    """Reasons are BOUNCE and COMPLAINT, in capitals."""
    constraint = "Member must satisfy enum value set: [BOUNCE, COMPLAINT]"
    message = f"1 validation error detected: Value at 'reason' failed to satisfy constraint: {constraint}"
    for reason in ("OTHER", "bounce"):
        arguments = {"EmailAddress": "ann@example.com", "Reason": reason}
        refused = refusal(ses.put_suppressed_destination, **arguments)
        assert refused == (400, "BadRequestException", message)


@pytest.mark.parametrize("address", ["   ", "ann", "@example.com", "ann@", "änn@example.com"])
def test_what_is_no_address_is_refused(ses: "SESV2Client", address: str) -> None:
    """An address has two parts and is ASCII."""
    status, code, _ = refusal(ses.put_suppressed_destination, EmailAddress=address, Reason="BOUNCE")
    assert (status, code) == (400, "BadRequestException")


def test_a_tenant_is_not_found(ses: "SESV2Client") -> None:
    """Tenants have lists of their own, and this account has no tenants."""
    arguments = {"EmailAddress": "ann@example.com", "TenantName": "acme"}
    calls = [
        refusal(ses.put_suppressed_destination, Reason="BOUNCE", **arguments),
        refusal(ses.get_suppressed_destination, **arguments),
        refusal(ses.delete_suppressed_destination, **arguments),
        refusal(ses.list_suppressed_destinations, TenantName="acme"),
    ]
    assert [call[:2] for call in calls] == [(404, "NotFoundException")] * 4


# Variant


def test_only_the_domain_is_lower_cased(ses: "SESV2Client") -> None:
    """An address is trimmed and its domain folded, whoever asks and however."""
    ses.put_suppressed_destination(EmailAddress=" Foo@Example.COM ", Reason="BOUNCE")
    found = ses.get_suppressed_destination(EmailAddress="Foo@EXAMPLE.com")["SuppressedDestination"]
    assert found["EmailAddress"] == "Foo@example.com"


def test_spellings_of_a_local_part_are_entries_of_their_own(ses: "SESV2Client", aws: EmbeddedAws) -> None:
    """Deleting one leaves the other."""
    ses.put_suppressed_destination(EmailAddress="Foo@example.com", Reason="BOUNCE")
    ses.put_suppressed_destination(EmailAddress="foo@example.com", Reason="COMPLAINT")
    assert refusal(ses.get_suppressed_destination, EmailAddress="FOO@example.com")[0] == 404
    ses.delete_suppressed_destination(EmailAddress="foo@EXAMPLE.com")
    assert [entry.email_address for entry in aws.suppression_list.entries()] == ["Foo@example.com"]


@pytest.mark.parametrize("local_part", ["ann+news", "100%41", "o'hara", "a&b=c?d#e", "ann%2Bnews"])
def test_an_address_survives_the_path(ses: "SESV2Client", aws: EmbeddedAws, local_part: str) -> None:
    """What the client percent-encodes is decoded once."""
    address = f"{local_part}@example.com"
    ses.put_suppressed_destination(EmailAddress=address, Reason="BOUNCE")
    found = ses.get_suppressed_destination(EmailAddress=address)["SuppressedDestination"]
    ses.delete_suppressed_destination(EmailAddress=address)
    assert (address, []) == (found["EmailAddress"], aws.suppression_list.entries())


def test_an_address_with_a_slash_can_be_put_but_not_deleted(ses: "SESV2Client") -> None:
    """SES has answered 400 since 2021, whether the address is there or not."""
    ses.put_suppressed_destination(EmailAddress="a/b@example.com", Reason="BOUNCE")
    status, code, _ = refusal(ses.delete_suppressed_destination, EmailAddress="a/b@example.com")
    assert (status, code) == (400, "BadRequestException")
    assert ses.get_suppressed_destination(EmailAddress="a/b@example.com")["SuppressedDestination"]


# Who may be put


@pytest.mark.parametrize("address", ["bounce@simulator.amazonses.com", "bounce+1@Simulator.AmazonSES.com"])
def test_simulator_addresses_are_refused(ses: "SESV2Client", address: str) -> None:
    """The mailbox simulator is never on the list."""
    status, code, _ = refusal(ses.put_suppressed_destination, EmailAddress=address, Reason="BOUNCE")
    assert (status, code) == (400, "BadRequestException")


def test_the_sandbox_refuses_put_only() -> None:
    """Without production access nothing can be put, but what is there can be seen and deleted."""
    with EmbeddedAws(calls_per_second=None, sandbox=True) as aws:
        ses = aws.client("sesv2")
        aws.suppression_list.add_from_feedback("bo@example.com", BOUNCE, message_id="m", feedback_id="f")
        refused = refusal(ses.put_suppressed_destination, EmailAddress="ann@example.com", Reason="BOUNCE")
        listed = ses.list_suppressed_destinations()["SuppressedDestinationSummaries"]
        ses.delete_suppressed_destination(EmailAddress="bo@example.com")
        account = ses.get_account()
    assert refused[:2] == (400, "BadRequestException")
    assert [entry["EmailAddress"] for entry in listed] == ["bo@example.com"]
    assert aws.suppression_list.entries() == []
    assert (account["ProductionAccessEnabled"], account["SendQuota"]["MaxSendRate"]) == (False, 1.0)


# RateLimiter


def test_the_second_call_in_a_second_is_429() -> None:
    """All operations share one call a second, which does not add up, and a refused call uses none."""
    clock = VirtualClock(NOON)
    with EmbeddedAws(clock) as aws:
        ses = aws.client("sesv2")
        clock.sleep(3600)
        ses.put_suppressed_destination(EmailAddress="ann@example.com", Reason="BOUNCE")
        refused = [
            refusal(ses.put_suppressed_destination, EmailAddress="bo@example.com", Reason="BOUNCE"),
            refusal(ses.get_suppressed_destination, EmailAddress="ann@example.com"),
            refusal(ses.delete_suppressed_destination, EmailAddress="ann@example.com"),
            refusal(ses.list_suppressed_destinations),
            refusal(ses.put_account_suppression_attributes, SuppressedReasons=[]),
            refusal(ses.get_account),
        ]
        clock.sleep(0.999)
        refused.append(refusal(ses.get_account))
        clock.sleep(0.001)
        ses.delete_suppressed_destination(EmailAddress="ann@example.com")
        refused.append(refusal(ses.get_account))
    assert refused == [(429, "TooManyRequestsException", "Rate exceeded")] * 8
    assert aws.suppression_list.entries() == []


def test_the_pace_can_be_another() -> None:
    """Three calls a second are a third of a second apart, rounding forgiven."""
    clock = VirtualClock(NOON)
    suppression_list = a_list(clock, calls_per_second=3)
    suppression_list.get_account()
    clock.sleep(0.33)
    with pytest.raises(TooManyRequestsError):
        suppression_list.get_account()
    clock.sleep(0.003333)
    suppression_list.get_account()
    clock.sleep(0.333333)
    assert suppression_list.get_account() == {BOUNCE, COMPLAINT}


def test_a_refused_call_changes_nothing() -> None:
    """What comes too early is not done."""
    suppression_list = a_list(VirtualClock(NOON))
    suppression_list.put("ann@example.com", "BOUNCE")
    with pytest.raises(TooManyRequestsError):
        suppression_list.put("bo@example.com", "BOUNCE")
    assert [entry.email_address for entry in suppression_list.entries()] == ["ann@example.com"]


# Listing


def test_pages_go_on_where_the_last_ended(ses: "SESV2Client", aws: EmbeddedAws) -> None:
    """Paging gives every entry once, though an entry of the last page went away in between."""
    for name in "edcba":
        ses.put_suppressed_destination(EmailAddress=f"{name}@example.com", Reason="BOUNCE")
    first = ses.list_suppressed_destinations(PageSize=2)
    aws.suppression_list.delete("b@example.com")
    second = ses.list_suppressed_destinations(PageSize=2, NextToken=first["NextToken"])
    third = ses.list_suppressed_destinations(PageSize=2, NextToken=second["NextToken"])
    pages = [
        [entry["EmailAddress"][0] for entry in page["SuppressedDestinationSummaries"]]
        for page in (first, second, third)
    ]
    assert pages == [["a", "b"], ["c", "d"], ["e"]]
    assert "NextToken" not in third


def test_a_full_last_page_has_no_token(ses: "SESV2Client") -> None:
    """A token promises that there is more."""
    for name in "ab":
        ses.put_suppressed_destination(EmailAddress=f"{name}@example.com", Reason="BOUNCE")
    assert "NextToken" not in ses.list_suppressed_destinations(PageSize=2)


def test_a_page_holds_a_thousand_at_most(ses: "SESV2Client", aws: EmbeddedAws) -> None:
    """It does so by itself, and more cannot be asked for."""
    for number in range(1001):
        aws.suppression_list.put(f"{number:04}@example.com", "BOUNCE")
    page = ses.list_suppressed_destinations()
    assert (len(page["SuppressedDestinationSummaries"]), "NextToken" in page) == (1000, True)
    for size in (0, 1001):
        assert refusal(ses.list_suppressed_destinations, PageSize=size)[:2] == (400, "BadRequestException")


def test_a_made_up_token_is_refused(ses: "SESV2Client") -> None:
    """Tokens come from pages."""
    for token in ("x", "//79"):
        expected = (400, "InvalidNextTokenException", "The specified next token is invalid.")
        assert expected == refusal(ses.list_suppressed_destinations, NextToken=token)


def test_the_list_can_be_narrowed_to_reasons(ses: "SESV2Client") -> None:
    """Several reasons mean any of them; an unknown one is refused."""
    ses.put_suppressed_destination(EmailAddress="ann@example.com", Reason="BOUNCE")
    ses.put_suppressed_destination(EmailAddress="bo@example.com", Reason="COMPLAINT")

    def having(*reasons: Any) -> list[str]:  # noqa: ANN401
        page = ses.list_suppressed_destinations(Reasons=reasons)
        return [entry["EmailAddress"] for entry in page["SuppressedDestinationSummaries"]]

    assert having("COMPLAINT") == ["bo@example.com"]
    assert having("BOUNCE", "COMPLAINT") == having() == ["ann@example.com", "bo@example.com"]
    message = refusal(ses.list_suppressed_destinations, Reasons=["OTHER"])[2]
    assert message.endswith("[Member must satisfy enum value set: [BOUNCE, COMPLAINT]]")


def test_the_list_can_be_narrowed_to_a_time(ses: "SESV2Client", aws: EmbeddedAws) -> None:
    """Dates mean after and before, of the last change."""
    for name in "abc":
        ses.put_suppressed_destination(EmailAddress=f"{name}@example.com", Reason="BOUNCE")
        aws.clock.sleep(3600)

    def between(**dates: Any) -> str:  # noqa: ANN401
        page = ses.list_suppressed_destinations(**dates)
        return "".join(entry["EmailAddress"][0] for entry in page["SuppressedDestinationSummaries"])

    one = NOON + timedelta(hours=1)
    assert (
        between(StartDate=one),
        between(EndDate=one),
        between(StartDate=NOON - timedelta(1), EndDate=NOON + timedelta(1)),
    ) == ("c", "a", "abc")


# What is on the list and what it does


def test_ses_lists_what_bounced_and_says_by_which_message(ses: "SESV2Client", aws: EmbeddedAws) -> None:
    """Only entries of SES have attributes, until a call overwrites them."""
    aws.suppression_list.add_from_feedback("Ann@Example.com", BOUNCE, message_id="m-1", feedback_id="f-1")
    found = ses.get_suppressed_destination(EmailAddress="Ann@example.com")["SuppressedDestination"]
    assert found["Attributes"] == {"MessageId": "m-1", "FeedbackId": "f-1"}
    ses.put_suppressed_destination(EmailAddress="Ann@example.com", Reason="BOUNCE")
    assert aws.suppression_list.get("Ann@example.com").attributes is None


def test_ses_lists_only_for_the_reasons_of_the_account() -> None:
    """It takes no turn doing so, heeds the settings, and passes over the mailbox simulator."""
    suppression_list = AccountSuppressionList(VirtualClock(NOON).now, suppressed_reasons=[COMPLAINT])
    done = [
        suppression_list.add_from_feedback(address, reason, message_id="m", feedback_id="f")
        for address, reason in (
            ("ann@example.com", BOUNCE),
            ("bo@example.com", COMPLAINT),
            ("complaint@simulator.amazonses.com", COMPLAINT),
        )
    ]
    assert done == [False, True, False]
    assert [entry.email_address for entry in suppression_list.entries()] == ["bo@example.com"]


def test_account_settings_are_kept_and_shown(ses: "SESV2Client") -> None:
    """A new account has both reasons; any set of them can be chosen, also none."""
    shown = [ses.get_account()["SuppressionAttributes"]["SuppressedReasons"]]
    for reasons in (["COMPLAINT"], []):
        ses.put_account_suppression_attributes(SuppressedReasons=reasons)  # type: ignore[arg-type]
        shown.append(ses.get_account()["SuppressionAttributes"]["SuppressedReasons"])
    assert shown == [["BOUNCE", "COMPLAINT"], ["COMPLAINT"], []]
    arguments: dict[str, Any] = {"SuppressedReasons": ["OTHER"]}
    message = refusal(ses.put_account_suppression_attributes, **arguments)[2]
    assert message.startswith("1 validation error detected: Value at 'suppressedReasons'")


def test_sending_ignores_case_where_managing_does_not() -> None:
    """An entry blocks every variant of its address."""
    suppression_list = a_list(VirtualClock(NOON), "Foo@example.com")
    assert suppression_list.blocks(" fOO@Example.COM") == BOUNCE
    assert suppression_list.blocks("bar@example.com") is None


def test_an_entry_blocks_only_for_a_reason_in_force() -> None:
    """Settings and reason must match, and a configuration set's settings go before the account's."""
    suppression_list = a_list(VirtualClock(NOON), "ann@example.com", suppressed_reasons=[BOUNCE])
    suppression_list.put_account_attributes(["COMPLAINT"])
    assert suppression_list.blocks("ann@example.com") is None
    assert suppression_list.blocks("ann@example.com", suppressed_reasons=[BOUNCE]) == BOUNCE
    assert suppression_list.blocks("ann@example.com", suppressed_reasons=[]) is None


def test_of_two_spellings_the_latest_counts() -> None:
    """When both would block, the reason is the later entry's."""
    clock = VirtualClock(NOON)
    suppression_list = a_list(clock, "Foo@example.com", calls_per_second=None)
    suppression_list.put("foo@example.com", "COMPLAINT")
    assert suppression_list.blocks("Foo@example.com") == COMPLAINT


# The protocol, where a client would not go


def respond(method: str, target: str, body: object = None) -> tuple[int, str | None]:
    """Ask a list that holds one address; return status and error code."""
    suppression_list = a_list(VirtualClock(NOON), "ann@example.com", calls_per_second=None)
    path, _, query = target.partition("?")
    sent = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    response = SuppressionListApi(suppression_list).respond(method, path, query, sent)
    assert response is not None
    return response.status, response.headers.get("x-amzn-ErrorType")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        [],
        {},
        {"EmailAddress": None, "Reason": "BOUNCE"},
        {"EmailAddress": ["ann@example.com"], "Reason": "BOUNCE"},
        {"EmailAddress": "ann@example.com", "Reason": None},
        {"EmailAddress": "ann@example.com", "Reason": ["BOUNCE"]},
    ],
)
def test_a_body_that_says_nothing_is_refused(body: object) -> None:
    """Put needs a JSON object with an address and a reason."""
    assert respond("PUT", "/v2/email/suppression/addresses", body) == (400, "BadRequestException")


@pytest.mark.parametrize("query", ["StartDate=soon", "EndDate=1.5", "PageSize=many", "PageSize=-1"])
def test_a_query_that_makes_no_sense_is_refused(query: str) -> None:
    """Dates and sizes must be what they are called."""
    assert respond("GET", f"/v2/email/suppression/addresses?{query}") == (400, "BadRequestException")


def test_a_date_without_an_offset_is_utc() -> None:
    """A start before the entry's time finds it, and one at that time does not."""
    api = SuppressionListApi(a_list(VirtualClock(NOON), "ann@example.com", calls_per_second=None))
    found = []
    for start in ("2026-03-01T11:59:59", "2026-03-01T12:00:00"):
        page = api.respond("GET", "/v2/email/suppression/addresses", f"StartDate={start}", b"")
        assert page is not None
        found.append(len(json.loads(page.body)["SuppressedDestinationSummaries"]))
    assert found == [1, 0]


def test_settings_must_be_reasons() -> None:
    """Settings that are no list of reasons are refused."""
    body = {"SuppressedReasons": "OTHER"}
    assert respond("PUT", "/v2/email/account/suppression", body) == (400, "BadRequestException")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/email/outbound-emails"),
        ("POST", "/v2/email/suppression/addresses"),
        ("PUT", "/v2/email/suppression/addresses/ann%40example.com"),
        ("GET", "/v2/email/account/details"),
    ],
)
def test_other_requests_are_left_to_others(method: str, path: str) -> None:
    """The list answers for itself only."""
    api = SuppressionListApi(a_list(VirtualClock(NOON)))
    assert api.respond(method, path, "", b"") is None


def test_the_model_raises_what_the_wire_says() -> None:
    """An error of the model knows its status and code."""
    with pytest.raises(NotFoundError) as refused:
        a_list(VirtualClock(NOON)).get("ann@example.com")
    assert (refused.value.status, refused.value.code) == (404, "NotFoundException")
