"""Canaries are found, in whatever disguise; what is no canary is left alone."""

import base64
import json
from urllib.parse import quote

import pytest

from campaigns.fuzz.canaries import MARK, canary, canary_address, leaks, undocumented
from campaigns.fuzz.payloads import make

ADDRESS = canary_address(7)
SHOWN = {
    "as it is": ADDRESS,
    "in capitals": ADDRESS.upper(),
    "without its domain": ADDRESS.partition("@")[0],
    "without its local part": ADDRESS.partition("@")[2],
    "cut short": canary("subject", 12)[: len(MARK) + 3],
    "in JSON in JSON": json.dumps(json.dumps({"subject": canary("subject")})),
    "with its @ escaped": ADDRESS.replace("@", "\\u0040"),
    "percent-encoded": quote(ADDRESS, safe="").replace(MARK, "".join(f"%{ord(c):02X}" for c in MARK)),
    "in base64": base64.b64encode(ADDRESS.encode()).decode(),
    "in base64, one further": base64.b64encode(f"x{ADDRESS}".encode()).decode(),
    "in base64, two further": base64.b64encode(f"xy{ADDRESS}".encode()).decode(),
    "in hexadecimal": ADDRESS.encode().hex(),
    "in an A-label": f"a@b\u00fccher-{MARK}.example.com".encode("idna").decode(),
    "an address that is no canary": "somebody@example.org",
    "an id that is an address": f'{{"message_id": "{ADDRESS}"}}',
}


@pytest.mark.parametrize("shown", SHOWN.values(), ids=SHOWN)
def test_a_canary_is_found(shown: str) -> None:
    """However it is written, and whatever stands around it."""
    assert leaks(f'{{"level": "INFO", "text": "{shown}", "records": 3}}') != []


@pytest.mark.parametrize(
    "said",
    [
        "",
        '{"level":"INFO","location":"_log:72","message":"batch","records":10,"exceptional":3,"quarantined":1}',
        '{"record_id":"0f3a","reason":"malformed: bounce.bounceType: string_type","contacts":["9b74c9897bac"]}',
        f'{{"message_id":"{MARK}.7"}}',
        "3 @ 4",
    ],
)
def test_what_is_ours_is_no_leak(said: str) -> None:
    """What the functions log on purpose is not taken for a canary."""
    assert leaks(said) == []


def test_an_event_may_tell_what_is_documented() -> None:
    """The contact's address and the configuration set, and nothing else that a message said."""
    documented = {"address": ADDRESS, "old_status": "active", "rev": 3, "configuration_set": MARK}
    assert leaks(undocumented(documented)) == []
    assert leaks(undocumented({**documented, "reason": canary("diagnosticCode")})) == [
        canary("diagnosticCode")[:-1] + "~"
    ]


def test_payloads_are_full_of_canaries() -> None:
    """Nearly all of them would give somebody away, if they were shown."""
    shown = [bool(leaks(json.dumps(make(seed).event))) for seed in range(1_000)]
    assert sum(shown) > 900
