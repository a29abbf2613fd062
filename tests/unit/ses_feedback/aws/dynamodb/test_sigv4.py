"""Signatures of requests to DynamoDB. botocore is the reference."""

from datetime import UTC, datetime
from unittest import mock

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from ses_feedback.aws.dynamodb.sigv4 import Signer
from ses_feedback.aws.endpoints import Access

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TARGET = "DynamoDB_20120810.PutItem"
BODY = '{"TableName":"Contacts","Item":{"text":{"S":"J\u00f6rg"}}}'.encode()
LAST_SECOND_OF_2026 = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
FIRST_SECOND_OF_2027 = datetime(2027, 1, 1, tzinfo=UTC)


def botocore_authorization(access: Access, url: str, at: datetime, headers: dict[str, str]) -> str:
    """Return botocore's Authorization header of a request with the same headers at the time `at`."""
    # botocore adds the Host header itself, and signs no User-Agent.
    unsigned = {name: text for name, text in headers.items() if name not in {"Authorization", "Host", "User-Agent"}}
    request = AWSRequest("POST", url, unsigned, BODY)
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=at.replace(tzinfo=None)):
        SigV4Auth(Credentials(access.key_id, access.secret, access.token), "dynamodb", access.region).add_auth(request)
    authorization: str = request.headers["Authorization"]
    return authorization


@pytest.mark.parametrize("token", ["", "FwoGZXIvYXdzEXAMPLE//token=="])
@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://dynamodb.eu-central-1.amazonaws.com", "dynamodb.eu-central-1.amazonaws.com"),
        ("http://127.0.0.1:4566", "127.0.0.1:4566"),
    ],
)
def test_signatures_before_and_after_midnight_equal_those_of_botocore(url: str, host: str, token: str) -> None:
    """The signing key is derived from the date in UTC.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    access = Access(url, "eu-central-1", "AKIDEXAMPLE", SECRET, token)
    times = [LAST_SECOND_OF_2026, LAST_SECOND_OF_2026, FIRST_SECOND_OF_2027]
    remaining = iter(times)
    sign = Signer(access, host, lambda: next(remaining).timestamp())
    for at in times:
        headers = sign(TARGET, BODY)
        assert headers["X-Amz-Date"] == f"{at:%Y%m%dT%H%M%SZ}"
        assert headers["Authorization"] == botocore_authorization(access, url, at, headers)
        assert headers.get("X-Amz-Security-Token", "") == token
        assert (headers["Host"], headers["X-Amz-Target"]) == (host, TARGET)


def test_a_signature_has_the_current_time() -> None:
    """AWS rejects a signature that is older than five minutes.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
    """
    headers = Signer(Access("http://localhost", "us-east-1", "key", SECRET), "localhost")(TARGET, BODY)
    signed_at = datetime.strptime(headers["X-Amz-Date"], "%Y%m%dT%H%M%S%z")
    assert abs((datetime.now(UTC) - signed_at).total_seconds()) < 60
