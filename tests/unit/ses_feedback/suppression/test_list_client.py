"""SuppressionListClient: its requests, and the refusal that it returns for each error."""

from collections.abc import Iterator

import pytest

from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.aws.refusals import Refusal, RefusalKind
from ses_feedback.judging.facts import ListReason
from ses_feedback.suppression.list_client import SuppressionListClient
from tests.support.builders import RECIPIENT
from tests.support.fakes import ManualClock
from tests.support.faulty_client import Fault, FaultyClient, fails_with, returns_garbage, times_out


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    """Return an emulated AWS whose clock stands still."""
    with EmbeddedAws(ManualClock()) as aws:
        yield aws


REFUSALS: list[tuple[Fault, Refusal]] = [
    (fails_with("TooManyRequestsException"), Refusal(RefusalKind.THROTTLED, "TooManyRequestsException")),
    (fails_with("ThrottlingException"), Refusal(RefusalKind.THROTTLED, "ThrottlingException")),
    (fails_with("LimitExceededException"), Refusal(RefusalKind.THROTTLED, "LimitExceededException")),
    (fails_with("BadRequestException"), Refusal(RefusalKind.REJECTED, "BadRequestException")),
    (fails_with("ValidationException"), Refusal(RefusalKind.REJECTED, "ValidationException")),
    (fails_with("AccessDeniedException"), Refusal(RefusalKind.UNAVAILABLE, "AccessDeniedException")),
    (fails_with("InternalServiceErrorException"), Refusal(RefusalKind.UNAVAILABLE, "InternalServiceErrorException")),
    (fails_with("404"), Refusal(RefusalKind.UNAVAILABLE, "404")),
    (fails_with(""), Refusal(RefusalKind.UNAVAILABLE, "UnknownError")),
    (times_out, Refusal(RefusalKind.UNANSWERED, "ReadTimeoutError")),
    (returns_garbage, Refusal(RefusalKind.UNANSWERED, "MalformedResponseError")),
]


@pytest.mark.parametrize(("fault", "refusal"), REFUSALS, ids=[refusal.code for _, refusal in REFUSALS])
def test_each_error_has_its_kind_of_refusal(aws: EmbeddedAws, fault: Fault, refusal: Refusal) -> None:
    """A success without SES's request id is not from SES, so the call may have been carried out or not."""
    suppression_list = SuppressionListClient(FaultyClient(aws.client("sesv2"), default_fault=fault))
    results = suppression_list.put(RECIPIENT, ListReason.BOUNCE), suppression_list.delete(RECIPIENT)
    assert results == (refusal, refusal)


def test_a_second_call_within_a_second_is_throttled(aws: EmbeddedAws) -> None:
    suppression_list = SuppressionListClient(aws.client("sesv2"))
    results = [suppression_list.put(RECIPIENT, ListReason.BOUNCE), suppression_list.delete(RECIPIENT)]
    assert results == [None, Refusal(RefusalKind.THROTTLED, "TooManyRequestsException")]


def test_not_found_is_a_success_of_a_deletion_only(aws: EmbeddedAws) -> None:
    suppression_list = SuppressionListClient(
        FaultyClient(aws.client("sesv2"), default_fault=fails_with("NotFoundException"))
    )
    results = [suppression_list.delete(RECIPIENT), suppression_list.put(RECIPIENT, ListReason.BOUNCE)]
    assert results == [None, Refusal(RefusalKind.UNAVAILABLE, "NotFoundException")]


@pytest.mark.parametrize("reason", ListReason)
def test_a_put_is_one_call_with_the_unchanged_address_and_the_reason(aws: EmbeddedAws, reason: ListReason) -> None:
    client = FaultyClient(aws.client("sesv2"))
    SuppressionListClient(client).put("Re+Cip/ient@example.com", reason)
    calls = [(call.operation, dict(call.request)) for call in client.calls]
    request = {"EmailAddress": "Re+Cip/ient@example.com", "Reason": reason.value}
    assert calls == [("put_suppressed_destination", request)]
