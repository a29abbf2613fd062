"""Requests that the local AWS must refuse: those of web pages, and of processes that do not know the access key."""

import hashlib
from dataclasses import dataclass

import pytest

KNOWN_KEY = "<the access key>"
"""Stands for the access key of the server, which the test inserts."""
_FORM = ("Content-Type", "application/x-www-form-urlencoded")
_PAGE = ("Origin", "https://attacker.example.org")
_CREATE_ROLE = b"Action=CreateRole&RoleName=attacker&AssumeRolePolicyDocument=%7B%7D&Version=2010-05-08"
_CONTROL = "/_feedbackctl/state"
_ARN = "arn:aws:lambda:us-east-1:123456789012:function:f:arn:aws:iam::123456789012:role/r"


@dataclass(frozen=True)
class HostileRequest:
    """A request. Without `host` it is sent to the server's own address."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    host: str = ""


def sign(key: str) -> tuple[str, str]:
    """Return the header of a request signed with an access key."""
    scope = f"Credential={key}/20260301/us-east-1/iam/aws4_request"
    return ("Authorization", f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0")


_KNOWN = sign(KNOWN_KEY)
# The headers are those that Chromium 150 sends (tests/e2e/test_browser.py).
HOSTILE_REQUESTS = [
    pytest.param(request, id=name)
    for name, request in {
        "form of a page": HostileRequest("POST", "/", (_PAGE, ("Sec-Fetch-Site", "cross-site"), _FORM), _CREATE_ROLE),
        "form of a page that knows the key": HostileRequest("POST", "/", (_PAGE, _FORM, _KNOWN), _CREATE_ROLE),
        "form of a sandboxed frame": HostileRequest("POST", "/", (("Origin", "null"), _FORM, _KNOWN), _CREATE_ROLE),
        "form of a local file": HostileRequest("POST", "/", (("Origin", "file://"), _FORM, _KNOWN), _CREATE_ROLE),
        "preflight of a page": HostileRequest("OPTIONS", "/", (_PAGE, ("Access-Control-Request-Method", "PUT")), b""),
        "preflight of the control API": HostileRequest(
            "OPTIONS", _CONTROL, (_PAGE, ("Access-Control-Request-Method", "PUT")), b""
        ),
        "image of a page": HostileRequest("GET", _CONTROL, (("Sec-Fetch-Site", "cross-site"), _KNOWN), b""),
        "image of a page on another local port": HostileRequest(
            "GET", _CONTROL, (("Sec-Fetch-Site", "same-site"), _KNOWN), b""
        ),
        "script of a page after DNS rebinding": HostileRequest(
            "GET",
            _CONTROL,
            (("Sec-Fetch-Site", "same-origin"), _KNOWN),
            b"",
            "attacker.example.org",
        ),
        "old browser after DNS rebinding": HostileRequest("GET", _CONTROL, (_KNOWN,), b"", "attacker.example.org"),
        "host that begins like an address": HostileRequest("GET", _CONTROL, (_KNOWN,), b"", "127.0.0.1.example.org"),
        "host that begins with brackets": HostileRequest("GET", _CONTROL, (_KNOWN,), b"", "[::1]attacker.example.org"),
        "host with a name for a port": HostileRequest(
            "GET", _CONTROL, (_KNOWN,), b"", "localhost:attacker.example.org"
        ),
        "host that ends like a name": HostileRequest("GET", _CONTROL, (_KNOWN,), b"", "attacker-localhost"),
        "no key": HostileRequest("POST", "/", (_FORM,), _CREATE_ROLE),
        "no key to the control API": HostileRequest("GET", _CONTROL, (), b""),
        "no key to the reset of the emulator": HostileRequest("POST", "/_ministack/reset", (), b""),
        "no key to the configuration of the emulator": HostileRequest("POST", "/_ministack/config", (), b"{}"),
        "no key to the code of a function": HostileRequest("GET", "/_ministack/lambda-code/BounceFunction", (), b""),
        "the emulator's default key": HostileRequest("POST", "/", (sign("test"), _FORM), _CREATE_ROLE),
        "the key of earlier versions": HostileRequest("POST", "/", (sign("local"), _FORM), _CREATE_ROLE),
        "the account as a key": HostileRequest("POST", "/", (sign("123456789012"), _FORM), _CREATE_ROLE),
        "an empty key": HostileRequest("POST", "/", (sign(""), _FORM), _CREATE_ROLE),
        "a function's key computed from its name": HostileRequest(
            "POST",
            "/",
            (sign(f"ASIA{hashlib.sha256(_ARN.encode()).hexdigest()[:16].upper()}"), _FORM),
            _CREATE_ROLE,
        ),
        "the default key in a presigned URL": HostileRequest(
            "GET", "/?X-Amz-Credential=test%2F20260301%2Fus-east-1", (), b""
        ),
        "two keys": HostileRequest("GET", "/bucket?AWSAccessKeyId=test", (_KNOWN,), b""),
        "bearer token that is a prefix": HostileRequest(
            "GET", _CONTROL, (("Authorization", f"Bearer {KNOWN_KEY[:4]}"),), b""
        ),
    }.items()
]
