"""SuppressionListClient tells the list_sync what became of each call, in as many words as it needs."""

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
    """An embedded AWS on whose clock no time passes."""
    with EmbeddedAws(ManualClock()) as aws:
        yield aws


ANSWERS: list[tuple[Fault, Refusal]] = [
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


@pytest.mark.parametrize(("fault", "refusal"), ANSWERS, ids=[refusal.code for _, refusal in ANSWERS])
def test_refusals(aws: EmbeddedAws, fault: Fault, refusal: Refusal) -> None:
    """A throttle will pass, a refusal of the entry will not, and a call without an answer may yet be carried out.

    A success without SES's request id is not from SES.
    """
    suppression_list = SuppressionListClient(FaultyClient(aws.client("sesv2"), default_fault=fault))
    answers = suppression_list.put(RECIPIENT, ListReason.BOUNCE), suppression_list.delete(RECIPIENT)
    assert answers == (refusal, refusal)


def test_throttled_by_ses(aws: EmbeddedAws) -> None:
    """A second call within the second is refused for now."""
    suppression_list = SuppressionListClient(aws.client("sesv2"))
    answers = [suppression_list.put(RECIPIENT, ListReason.BOUNCE), suppression_list.delete(RECIPIENT)]
    assert answers == [None, Refusal(RefusalKind.THROTTLED, "TooManyRequestsException")]


def test_an_entry_that_is_not_there_need_not_be_deleted(aws: EmbeddedAws) -> None:
    """SES's NotFound is what a deletion wants; of a put it would be a fault."""
    suppression_list = SuppressionListClient(
        FaultyClient(aws.client("sesv2"), default_fault=fails_with("NotFoundException"))
    )
    answers = [suppression_list.delete(RECIPIENT), suppression_list.put(RECIPIENT, ListReason.BOUNCE)]
    assert answers == [None, Refusal(RefusalKind.UNAVAILABLE, "NotFoundException")]


@pytest.mark.parametrize("reason", ListReason)
def test_every_call_names_address_and_reason(aws: EmbeddedAws, reason: ListReason) -> None:
    """A put tells SES the variant and the reason as they are, and one put is one call."""
    client = FaultyClient(aws.client("sesv2"))
    SuppressionListClient(client).put("Re+Cip/ient@example.com", reason)
    asked = [(call.operation, dict(call.request)) for call in client.calls]
    request = {"EmailAddress": "Re+Cip/ient@example.com", "Reason": reason.value}
    assert asked == [("put_suppressed_destination", request)]
