"""The checks that each request passes before any other code sees it: where it comes from, and its access key.

Functions are processes of this machine, so a caller who can deploy one can run code as the user who started the
server. Three kinds of callers are refused:

- A web page. The browser adds `Origin` or `Sec-Fetch-Site`: https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
- A web page whose domain resolves to this machine (DNS rebinding). `Host` is that domain.
- A process of another user, and a container. It does not know the access key, which is random and readable by its
  owner only. The key is sent as SigV4's access key id, or as a bearer token. Signatures are not checked, so the id
  itself is the secret.
"""

import posixpath
import re
from collections.abc import Callable, Collection, Iterator
from hmac import compare_digest
from urllib.parse import parse_qsl

from localaws.server.http_messages import Message

_LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1", "host.docker.internal"})
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html and, for S3's older form,
# https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
_HEADER_KEYS = (
    re.compile(r"Credential=([^/,\s]+)/"),
    re.compile(r"^AWS ([^:\s]+):"),
    re.compile(r"^Bearer (\S+)$"),
)
# In a presigned URL: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
_QUERY_KEYS = frozenset({"X-Amz-Credential", "AWSAccessKeyId"})
# https://www.rfc-editor.org/rfc/rfc3986#section-3.2
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([0-9a-z.-]+))(?::[0-9]{1,5})?", re.IGNORECASE)
_CONTROL = "/_"
"""The start of the paths of ministack's own endpoints and of ours. No AWS service has such a path."""


class RequestGuard:
    """Decides which requests are refused."""

    def __init__(self, access_key: str, addresses: Collection[str], is_issued: Callable[[str], bool]) -> None:
        """Admit requests with `access_key`, and requests to AWS services with a key that `is_issued`.

        `addresses` are the additional addresses that the server listens on.
        """
        self._access_key = access_key.encode()
        self._hosts = _LOCAL_HOSTS | frozenset(addresses)
        self._is_issued = is_issued

    def find_objection(self, scope: Message) -> str | None:
        """Return why a request is refused, or None if it is admitted."""
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        hosts = [value for name, value in headers if name == "host"]
        if len(hosts) != 1 or _read_host_name(hosts[0]) not in self._hosts:
            return "The Host header is not an address of this server."
        if any(name == "origin" for name, _ in headers):
            return "Requests of web pages are refused (Origin)."
        if any(name == "sec-fetch-site" and value != "none" for name, value in headers):
            return "Requests of web pages are refused (Sec-Fetch-Site)."
        if not self._has_key(scope, [value for name, value in headers if name == "authorization"]):
            return 'The access key is missing or wrong. To set it: eval "$(feedbackctl local env)"'
        return None

    def _has_key(self, scope: Message, authorizations: list[str]) -> bool:
        """Return True if the request has an access key, and each that it has is admitted for its path."""
        keys = list(_find_keys(authorizations, scope["query_string"].decode("latin-1")))
        # Neither `//_` nor `/bucket/../_` is a way around.
        is_control = posixpath.normpath("/" + scope["path"].lstrip("/")).startswith(_CONTROL)
        return bool(keys) and all(
            compare_digest(key.encode(), self._access_key) or (not is_control and self._is_issued(key)) for key in keys
        )


def _find_keys(authorizations: list[str], query: str) -> Iterator[str]:
    """Yield every access key in the headers and in the query."""
    for authorization in authorizations:
        for pattern in _HEADER_KEYS:
            yield from pattern.findall(authorization)
    for name, value in parse_qsl(query):
        if name in _QUERY_KEYS:
            yield value.partition("/")[0]


def _read_host_name(host: str) -> str:
    """Return the name or the address in a Host header, without port and brackets, or an empty text if it is invalid."""
    found = _HOST.fullmatch(host)
    return (found[1] or found[2]).lower() if found else ""
