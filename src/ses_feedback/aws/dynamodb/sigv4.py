"""Signature Version 4 for requests to DynamoDB.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hmac
import time
from collections.abc import Callable
from hashlib import sha256

from ses_feedback.aws.endpoints import Access

_CONTENT_TYPE = "application/x-amz-json-1.0"
_ALGORITHM = "AWS4-HMAC-SHA256"


class Signer:
    """Signs requests to DynamoDB at `host` with the credentials of `access`."""

    def __init__(self, access: Access, host: str, clock: Callable[[], float] = time.time) -> None:
        """Date signatures with `clock`, in seconds since 1970.

        AWS accepts a signature for five minutes: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
        """
        self._access = access
        self._clock = clock
        token = f"x-amz-security-token:{access.token}\n" if access.token else ""
        # A canonical request has the header names in alphabetical order.
        self._names = "content-type;host;x-amz-date;" + ("x-amz-security-token;" if token else "") + "x-amz-target"
        self._before_date = f"POST\n/\n\ncontent-type:{_CONTENT_TYPE}\nhost:{host}\nx-amz-date:"
        self._after_date = f"\n{token}x-amz-target:"
        self._fixed_headers = {"Content-Type": _CONTENT_TYPE, "Host": host, "User-Agent": "ses-feedback"}
        if access.token:
            self._fixed_headers["X-Amz-Security-Token"] = access.token
        self._cached_key = ("", b"")

    def __call__(self, target: str, body: bytes) -> dict[str, str]:
        """Return the headers of a request for the operation `target`."""
        time_text = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock()))
        day = time_text[:8]
        canonical = (
            f"{self._before_date}{time_text}{self._after_date}{target}\n\n{self._names}\n{sha256(body).hexdigest()}"
        )
        scope = f"{day}/{self._access.region}/dynamodb/aws4_request"
        to_sign = f"{_ALGORITHM}\n{time_text}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._signing_key(day), to_sign.encode(), "sha256").hex()
        return {
            **self._fixed_headers,
            "X-Amz-Date": time_text,
            "X-Amz-Target": target,
            "Authorization": f"{_ALGORITHM} Credential={self._access.key_id}/{scope}, SignedHeaders={self._names}, "
            f"Signature={signature}",
        }

    def _signing_key(self, day: str) -> bytes:
        """Return the signing key of a day. It is derived once a day."""
        cached_day, key = self._cached_key
        if cached_day != day:
            key = f"AWS4{self._access.secret}".encode()
            for part in (day, self._access.region, "dynamodb", "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._cached_key = day, key
        return key
