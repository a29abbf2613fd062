"""The suppression list behaves as SES's own, as seen by a real SES client."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localaws.in_process.embedded_aws import EmbeddedAws
from localaws.in_process.virtual_clock import VirtualClock
from localaws.suppression_list.account_list import AccountSuppressionList
from localaws.suppression_list.entries import SuppressedDestination, SuppressionReason
from localaws.suppression_list.errors import NotFoundError, TooManyRequestsError
from localaws.suppression_list.rest_api import SuppressionListApi

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_sesv2 import SESV2Client

BOUNCE, COMPLAINT = SuppressionReason.BOUNCE, SuppressionReason.COMPLAINT
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def aws() -> "Iterator[EmbeddedAws]":
    """Return an AWS whose suppression list has no call quota."""
    with EmbeddedAws(VirtualClock(NOON), calls_per_second=None) as aws:
        yield aws


@pytest.fixture
def ses(aws: EmbeddedAws) -> "SESV2Client":
    """Return the SES client."""
    client: SESV2Client = aws.client("sesv2")
    return client


def get_refusal(call: "Callable[..., Any]", **arguments: object) -> tuple[int, str, str]:
    """Return the HTTP status, code and message with which SES refuses a call."""
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    response = refused.value.response
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    return status, response["Error"]["Code"], response["Error"]["Message"]


def create_list(clock: VirtualClock, *addresses: str, **options: Any) -> AccountSuppressionList:  # noqa: ANN401
    """Return a list with bounces of these addresses, added by SES in this order, a second apart."""
    suppression_list = AccountSuppressionList(clock.now, **options)
    for address in addresses:
        suppression_list.add_from_feedback(address, BOUNCE, message_id="m", feedback_id="f")
        clock.sleep(1)
    return suppression_list


# Putting, getting, deleting


def test_put_stores_an_entry_with_its_reason_and_time_but_no_attributes(ses: "SESV2Client") -> None:
    ses.put_suppressed_destination(EmailAddress="ann@example.com", Reason="BOUNCE")
    found = ses.get_suppressed_destination(EmailAddress="ann@example.com")["SuppressedDestination"]
    expected = {"EmailAddress": "ann@example.com", "Reason": "BOUNCE", "LastUpdateTime": NOON}
    assert expected == found


def test_second_put_replaces_reason_and_time(ses: "SESV2Client", aws: EmbeddedAws) -> None:
    ses.put_suppressed_destination(EmailAddress="ann@example.com", Reason="BOUNCE")
    aws.clock.sleep(90)
    ses.put_suppressed_destination(EmailAddress="ann@example.com", Reason="COMPLAINT")
    expected = [SuppressedDestination("ann@example.com", COMPLAINT, NOON + timedelta(seconds=90))]
    assert expected == aws.suppression_list.entries()


def test_delete_removes_the_entry(ses: "SESV2Client", aws: EmbeddedAws) -> None:
    ses.put_suppressed_destination(EmailAddress="ann@example.com", Reason="BOUNCE")
    ses.delete_suppressed_destination(EmailAddress="ann@example.com")
    assert aws.suppression_list.entries() == []


def test_get_and_delete_of_a_missing_address_return_404(ses: "SESV2Client") -> None:
    message = "Email address ann@example.com does not exist on your suppression list."
    expected = (404, "NotFoundException", message)
    assert expected == get_refusal(ses.get_suppressed_destination, EmailAddress="ann@example.com")
    assert expected == get_refusal(ses.delete_suppressed_destination, EmailAddress="ann@example.com")


def test_client_raises_the_modelled_exception_for_a_missing_address(ses: "SESV2Client") -> None:
    with pytest.raises(ses.exceptions.NotFoundException):
        ses.get_suppressed_destination(EmailAddress="ann@example.com")


def test_put_with_an_unknown_reason_returns_the_validation_message_of_ses(ses: "SESV2Client") -> None:
    constraint = "Member must satisfy enum value set: [BOUNCE, COMPLAINT]"
    message = f"1 validation error detected: Value at 'reason' failed to satisfy constraint: {constraint}"
    for reason in ("OTHER", "bounce"):
        arguments = {"EmailAddress": "ann@example.com", "Reason": reason}
        refused = get_refusal(ses.put_suppressed_destination, **arguments)
        assert refused == (400, "BadRequestException", message)


@pytest.mark.parametrize("address", ["   ", "ann", "@example.com", "ann@", "änn@example.com"])
def test_put_of_an_invalid_address_returns_400(ses: "SESV2Client", address: str) -> None:
    status, code, _ = get_refusal(ses.put_suppressed_destination, EmailAddress=address, Reason="BOUNCE")
    assert (status, code) == (400, "BadRequestException")


def test_calls_that_name_a_tenant_return_404(ses: "SESV2Client") -> None:
    """Tenants have lists of their own, and this account has no tenants."""
    arguments = {"EmailAddress": "ann@example.com", "TenantName": "acme"}
    calls = [
        get_refusal(ses.put_suppressed_destination, Reason="BOUNCE", **arguments),
        get_refusal(ses.get_suppressed_destination, **arguments),
        get_refusal(ses.delete_suppressed_destination, **arguments),
        get_refusal(ses.list_suppressed_destinations, TenantName="acme"),
    ]
    assert [call[:2] for call in calls] == [(404, "NotFoundException")] * 4


# Address variants


def test_address_is_trimmed_and_only_its_domain_is_lower_cased(ses: "SESV2Client") -> None:
    ses.put_suppressed_destination(EmailAddress=" Foo@Example.COM ", Reason="BOUNCE")
    found = ses.get_suppressed_destination(EmailAddress="Foo@EXAMPLE.com")["SuppressedDestination"]
    assert found["EmailAddress"] == "Foo@example.com"


def test_variants_of_a_local_part_are_separate_entries(ses: "SESV2Client", aws: EmbeddedAws) -> None:
    ses.put_suppressed_destination(EmailAddress="Foo@example.com", Reason="BOUNCE")
    ses.put_suppressed_destination(EmailAddress="foo@example.com", Reason="COMPLAINT")
    assert get_refusal(ses.get_suppressed_destination, EmailAddress="FOO@example.com")[0] == 404
    ses.delete_suppressed_destination(EmailAddress="foo@EXAMPLE.com")
    assert [entry.email_address for entry in aws.suppression_list.entries()] == ["Foo@example.com"]


@pytest.mark.parametrize("local_part", ["ann+news", "100%41", "o'hara", "a&b=c?d#e", "ann%2Bnews"])
def test_percent_encoded_address_is_decoded_once(ses: "SESV2Client", aws: EmbeddedAws, local_part: str) -> None:
    address = f"{local_part}@example.com"
    ses.put_suppressed_destination(EmailAddress=address, Reason="BOUNCE")
    found = ses.get_suppressed_destination(EmailAddress=address)["SuppressedDestination"]
    ses.delete_suppressed_destination(EmailAddress=address)
    assert (address, []) == (found["EmailAddress"], aws.suppression_list.entries())


def test_address_with_a_slash_can_be_put_but_not_deleted(ses: "SESV2Client") -> None:
    """SES responds with 400 to the Delete since 2021, whether the address is listed or not."""
    ses.put_suppressed_destination(EmailAddress="a/b@example.com", Reason="BOUNCE")
    status, code, _ = get_refusal(ses.delete_suppressed_destination, EmailAddress="a/b@example.com")
    assert (status, code) == (400, "BadRequestException")
    assert ses.get_suppressed_destination(EmailAddress="a/b@example.com")["SuppressedDestination"]


# Addresses that SES refuses


@pytest.mark.parametrize("address", ["bounce@simulator.amazonses.com", "bounce+1@Simulator.AmazonSES.com"])
def test_put_of_a_simulator_address_returns_400(ses: "SESV2Client", address: str) -> None:
    status, code, _ = get_refusal(ses.put_suppressed_destination, EmailAddress=address, Reason="BOUNCE")
    assert (status, code) == (400, "BadRequestException")


def test_sandbox_refuses_put_but_allows_list_and_delete() -> None:
    with EmbeddedAws(calls_per_second=None, sandbox=True) as aws:
        ses = aws.client("sesv2")
        aws.suppression_list.add_from_feedback("bo@example.com", BOUNCE, message_id="m", feedback_id="f")
        refused = get_refusal(ses.put_suppressed_destination, EmailAddress="ann@example.com", Reason="BOUNCE")
        listed = ses.list_suppressed_destinations()["SuppressedDestinationSummaries"]
        ses.delete_suppressed_destination(EmailAddress="bo@example.com")
        account = ses.get_account()
    assert refused[:2] == (400, "BadRequestException")
    assert [entry["EmailAddress"] for entry in listed] == ["bo@example.com"]
    assert aws.suppression_list.entries() == []
    assert (account["ProductionAccessEnabled"], account["SendQuota"]["MaxSendRate"]) == (False, 1.0)


# The call quota


def test_second_call_within_a_second_returns_429_for_every_operation() -> None:
    """Unused capacity does not accumulate, and a refused call does not delay the next one."""
    clock = VirtualClock(NOON)
    with EmbeddedAws(clock) as aws:
        ses = aws.client("sesv2")
        clock.sleep(3600)
        ses.put_suppressed_destination(EmailAddress="ann@example.com", Reason="BOUNCE")
        refused = [
            get_refusal(ses.put_suppressed_destination, EmailAddress="bo@example.com", Reason="BOUNCE"),
            get_refusal(ses.get_suppressed_destination, EmailAddress="ann@example.com"),
            get_refusal(ses.delete_suppressed_destination, EmailAddress="ann@example.com"),
            get_refusal(ses.list_suppressed_destinations),
            get_refusal(ses.put_account_suppression_attributes, SuppressedReasons=[]),
            get_refusal(ses.get_account),
        ]
        clock.sleep(0.999)
        refused.append(get_refusal(ses.get_account))
        clock.sleep(0.001)
        ses.delete_suppressed_destination(EmailAddress="ann@example.com")
        refused.append(get_refusal(ses.get_account))
    assert refused == [(429, "TooManyRequestsException", "Rate exceeded")] * 8
    assert aws.suppression_list.entries() == []


def test_quota_of_three_calls_a_second_allows_a_call_every_third_of_a_second() -> None:
    clock = VirtualClock(NOON)
    suppression_list = create_list(clock, calls_per_second=3)
    suppression_list.get_account()
    clock.sleep(0.33)
    with pytest.raises(TooManyRequestsError):
        suppression_list.get_account()
    clock.sleep(0.003333)
    suppression_list.get_account()
    clock.sleep(0.333333)
    assert suppression_list.get_account() == {BOUNCE, COMPLAINT}


def test_call_above_the_quota_changes_nothing() -> None:
    suppression_list = create_list(VirtualClock(NOON))
    suppression_list.put("ann@example.com", "BOUNCE")
    with pytest.raises(TooManyRequestsError):
        suppression_list.put("bo@example.com", "BOUNCE")
    assert [entry.email_address for entry in suppression_list.entries()] == ["ann@example.com"]


# Listing


def test_paging_returns_each_entry_once_when_an_entry_is_deleted_meanwhile(
    ses: "SESV2Client", aws: EmbeddedAws
) -> None:
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


def test_full_last_page_has_no_token(ses: "SESV2Client") -> None:
    for name in "ab":
        ses.put_suppressed_destination(EmailAddress=f"{name}@example.com", Reason="BOUNCE")
    assert "NextToken" not in ses.list_suppressed_destinations(PageSize=2)


def test_page_size_is_a_thousand_by_default_and_at_most(ses: "SESV2Client", aws: EmbeddedAws) -> None:
    for number in range(1001):
        aws.suppression_list.put(f"{number:04}@example.com", "BOUNCE")
    page = ses.list_suppressed_destinations()
    assert (len(page["SuppressedDestinationSummaries"]), "NextToken" in page) == (1000, True)
    for size in (0, 1001):
        assert get_refusal(ses.list_suppressed_destinations, PageSize=size)[:2] == (400, "BadRequestException")


def test_invented_token_is_refused(ses: "SESV2Client") -> None:
    for token in ("x", "//79"):
        expected = (400, "InvalidNextTokenException", "The specified next token is invalid.")
        assert expected == get_refusal(ses.list_suppressed_destinations, NextToken=token)


def test_list_filters_by_reasons_and_refuses_an_unknown_one(ses: "SESV2Client") -> None:
    ses.put_suppressed_destination(EmailAddress="ann@example.com", Reason="BOUNCE")
    ses.put_suppressed_destination(EmailAddress="bo@example.com", Reason="COMPLAINT")

    def list_addresses(*reasons: Any) -> list[str]:  # noqa: ANN401
        page = ses.list_suppressed_destinations(Reasons=reasons)
        return [entry["EmailAddress"] for entry in page["SuppressedDestinationSummaries"]]

    assert list_addresses("COMPLAINT") == ["bo@example.com"]
    assert list_addresses("BOUNCE", "COMPLAINT") == list_addresses() == ["ann@example.com", "bo@example.com"]
    message = get_refusal(ses.list_suppressed_destinations, Reasons=["OTHER"])[2]
    assert message.endswith("[Member must satisfy enum value set: [BOUNCE, COMPLAINT]]")


def test_list_filters_by_the_time_of_the_last_update(ses: "SESV2Client", aws: EmbeddedAws) -> None:
    for name in "abc":
        ses.put_suppressed_destination(EmailAddress=f"{name}@example.com", Reason="BOUNCE")
        aws.clock.sleep(3600)

    def list_initials(**dates: Any) -> str:  # noqa: ANN401
        page = ses.list_suppressed_destinations(**dates)
        return "".join(entry["EmailAddress"][0] for entry in page["SuppressedDestinationSummaries"])

    second_entry = NOON + timedelta(hours=1)
    assert (
        list_initials(StartDate=second_entry),
        list_initials(EndDate=second_entry),
        list_initials(StartDate=NOON - timedelta(1), EndDate=NOON + timedelta(1)),
    ) == ("c", "a", "abc")


# Entries that SES adds, and their effect


def test_entry_added_by_ses_has_attributes_until_a_put_replaces_it(ses: "SESV2Client", aws: EmbeddedAws) -> None:
    aws.suppression_list.add_from_feedback("Ann@Example.com", BOUNCE, message_id="m-1", feedback_id="f-1")
    found = ses.get_suppressed_destination(EmailAddress="Ann@example.com")["SuppressedDestination"]
    assert found["Attributes"] == {"MessageId": "m-1", "FeedbackId": "f-1"}
    ses.put_suppressed_destination(EmailAddress="Ann@example.com", Reason="BOUNCE")
    assert aws.suppression_list.get("Ann@example.com").attributes is None


def test_ses_adds_entries_for_the_reasons_of_the_account_only() -> None:
    """It never adds simulator addresses, and the quota does not apply to it."""
    suppression_list = AccountSuppressionList(VirtualClock(NOON).now, suppressed_reasons=[COMPLAINT])
    added = [
        suppression_list.add_from_feedback(address, reason, message_id="m", feedback_id="f")
        for address, reason in (
            ("ann@example.com", BOUNCE),
            ("bo@example.com", COMPLAINT),
            ("complaint@simulator.amazonses.com", COMPLAINT),
        )
    ]
    assert added == [False, True, False]
    assert [entry.email_address for entry in suppression_list.entries()] == ["bo@example.com"]


def test_account_reasons_can_be_set_to_any_subset(ses: "SESV2Client") -> None:
    settings = [ses.get_account()["SuppressionAttributes"]["SuppressedReasons"]]
    for reasons in (["COMPLAINT"], []):
        ses.put_account_suppression_attributes(SuppressedReasons=reasons)  # type: ignore[arg-type]
        settings.append(ses.get_account()["SuppressionAttributes"]["SuppressedReasons"])
    assert settings == [["BOUNCE", "COMPLAINT"], ["COMPLAINT"], []]
    arguments: dict[str, Any] = {"SuppressedReasons": ["OTHER"]}
    message = get_refusal(ses.put_account_suppression_attributes, **arguments)[2]
    assert message.startswith("1 validation error detected: Value at 'suppressedReasons'")


def test_entry_blocks_every_case_variant_of_its_address() -> None:
    suppression_list = create_list(VirtualClock(NOON), "Foo@example.com")
    assert suppression_list.blocking_reason(" fOO@Example.COM") == BOUNCE
    assert suppression_list.blocking_reason("bar@example.com") is None


def test_entry_blocks_only_for_a_reason_in_the_settings() -> None:
    """The settings of a configuration set override those of the account."""
    suppression_list = create_list(VirtualClock(NOON), "ann@example.com", suppressed_reasons=[BOUNCE])
    suppression_list.put_account_attributes(["COMPLAINT"])
    assert suppression_list.blocking_reason("ann@example.com") is None
    assert suppression_list.blocking_reason("ann@example.com", suppressed_reasons=[BOUNCE]) == BOUNCE
    assert suppression_list.blocking_reason("ann@example.com", suppressed_reasons=[]) is None


def test_blocking_reason_of_two_variants_is_the_latest_one() -> None:
    clock = VirtualClock(NOON)
    suppression_list = create_list(clock, "Foo@example.com", calls_per_second=None)
    suppression_list.put("foo@example.com", "COMPLAINT")
    assert suppression_list.blocking_reason("Foo@example.com") == COMPLAINT


# Requests that a client does not send


def respond(method: str, target: str, body: object = None) -> tuple[int, str | None]:
    """Return the status and error code of a request to a list with one entry."""
    suppression_list = create_list(VirtualClock(NOON), "ann@example.com", calls_per_second=None)
    path, _, query = target.partition("?")
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    response = SuppressionListApi(suppression_list).respond(method, path, query, encoded)
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
def test_put_with_an_invalid_body_returns_400(body: object) -> None:
    assert respond("PUT", "/v2/email/suppression/addresses", body) == (400, "BadRequestException")


@pytest.mark.parametrize("query", ["StartDate=soon", "EndDate=1.5", "PageSize=many", "PageSize=-1"])
def test_list_with_an_invalid_date_or_page_size_returns_400(query: str) -> None:
    assert respond("GET", f"/v2/email/suppression/addresses?{query}") == (400, "BadRequestException")


def test_date_without_an_offset_is_utc() -> None:
    api = SuppressionListApi(create_list(VirtualClock(NOON), "ann@example.com", calls_per_second=None))
    found = []
    for start in ("2026-03-01T11:59:59", "2026-03-01T12:00:00"):
        page = api.respond("GET", "/v2/email/suppression/addresses", f"StartDate={start}", b"")
        assert page is not None
        found.append(len(json.loads(page.body)["SuppressedDestinationSummaries"]))
    assert found == [1, 0]


def test_account_reasons_that_are_no_list_return_400() -> None:
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
def test_request_about_another_resource_has_no_response(method: str, path: str) -> None:
    api = SuppressionListApi(create_list(VirtualClock(NOON)))
    assert api.respond(method, path, "", b"") is None


def test_error_has_the_status_and_code_of_the_response() -> None:
    with pytest.raises(NotFoundError) as refused:
        create_list(VirtualClock(NOON)).get("ann@example.com")
    assert (refused.value.status, refused.value.code) == (404, "NotFoundException")
