"""Sign requests to AWS: Signature Version 4, for the one kind of request that DynamoDB takes.

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
    """Signs requests to DynamoDB at `host` as `access` says."""

    def __init__(self, access: Access, host: str, clock: Callable[[], float] = time.time) -> None:
        """Date signatures by `clock`, in seconds since 1970: AWS takes them for five minutes."""
        self._access = access
        self._host = host
        self._clock = clock
        token = f"x-amz-security-token:{access.token}\n" if access.token else ""
        # The names in order, as the signature has them.
        self._names = "content-type;host;x-amz-date;" + ("x-amz-security-token;" if token else "") + "x-amz-target"
        self._before = f"POST\n/\n\ncontent-type:{_CONTENT_TYPE}\nhost:{host}\nx-amz-date:"
        self._between = f"\n{token}x-amz-target:"
        self._always = {"Content-Type": _CONTENT_TYPE, "Host": host, "User-Agent": "ses-feedback"}
        if access.token:
            self._always["X-Amz-Security-Token"] = access.token
        self._key = ("", b"")

    def __call__(self, target: str, body: bytes) -> dict[str, str]:
        """Return the headers of a request for the operation `target`."""
        at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock()))
        day = at[:8]
        canonical = f"{self._before}{at}{self._between}{target}\n\n{self._names}\n{sha256(body).hexdigest()}"
        scope = f"{day}/{self._access.region}/dynamodb/aws4_request"
        to_sign = f"{_ALGORITHM}\n{at}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key_of(day), to_sign.encode(), "sha256").hex()
        return {
            **self._always,
            "X-Amz-Date": at,
            "X-Amz-Target": target,
            "Authorization": f"{_ALGORITHM} Credential={self._access.key_id}/{scope}, SignedHeaders={self._names}, "
            f"Signature={signature}",
        }

    def _key_of(self, day: str) -> bytes:
        """Return the key of a day, which is made once."""
        known, key = self._key
        if known != day:
            key = f"AWS4{self._access.secret}".encode()
            for part in (day, self._access.region, "dynamodb", "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key = day, key
        return key
