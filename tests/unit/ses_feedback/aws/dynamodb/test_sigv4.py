"""Signatures are those that botocore makes."""

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
BODY = '{"TableName":"Contacts","Item":{"said":{"S":"J\u00f6rg"}}}'.encode()
NEW_YEARS_EVE = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)


def botocores(access: Access, url: str, at: datetime, headers: dict[str, str]) -> str:
    """Return the signature that botocore puts on a request with the same headers at that time."""
    unsigned = {name: text for name, text in headers.items() if name not in {"Authorization", "Host", "User-Agent"}}
    request = AWSRequest("POST", url, unsigned, BODY)
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=at.replace(tzinfo=None)):
        SigV4Auth(Credentials(access.key_id, access.secret, access.token), "dynamodb", access.region).add_auth(request)
    signed: str = request.headers["Authorization"]
    return signed


@pytest.mark.parametrize("token", ["", "FwoGZXIvYXdzEXAMPLE//token=="])
@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://dynamodb.eu-central-1.amazonaws.com", "dynamodb.eu-central-1.amazonaws.com"),
        ("http://127.0.0.1:4566", "127.0.0.1:4566"),
    ],
)
def test_a_signature_is_the_one_botocore_makes(url: str, host: str, token: str) -> None:
    """From day to day: the key that signs is another one each day."""
    access = Access(url, "eu-central-1", "AKIDEXAMPLE", SECRET, token)
    times = [NEW_YEARS_EVE, NEW_YEARS_EVE, NEW_YEAR]
    remaining = iter(times)
    sign = Signer(access, host, lambda: next(remaining).timestamp())
    for at in times:
        headers = sign(TARGET, BODY)
        assert headers["X-Amz-Date"] == f"{at:%Y%m%dT%H%M%SZ}"
        assert headers["Authorization"] == botocores(access, url, at, headers)
        assert headers.get("X-Amz-Security-Token", "") == token
        assert (headers["Host"], headers["X-Amz-Target"]) == (host, TARGET)


def test_now_is_now() -> None:
    """AWS refuses what was signed more than five minutes ago."""
    headers = Signer(Access("http://localhost", "us-east-1", "key", SECRET), "localhost")(TARGET, BODY)
    said = datetime.strptime(headers["X-Amz-Date"], "%Y%m%dT%H%M%S%z")
    assert abs((datetime.now(UTC) - said).total_seconds()) < 60
