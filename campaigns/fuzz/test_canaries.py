"""Leaks are found in any encoding, and intended log fields are no leaks."""

import base64
import json
from urllib.parse import quote

import pytest

from campaigns.fuzz.canaries import MARK, canary, canary_address, find_leaks, undocumented
from campaigns.fuzz.payloads import generate_payload

ADDRESS = canary_address(7)
LEAKS = {
    "plain": ADDRESS,
    "upper case": ADDRESS.upper(),
    "local part": ADDRESS.partition("@")[0],
    "domain": ADDRESS.partition("@")[2],
    "cut": canary("subject", 12)[: len(MARK) + 3],
    "JSON in JSON": json.dumps(json.dumps({"subject": canary("subject")})),
    "escaped at sign": ADDRESS.replace("@", "\\u0040"),
    "percent encoding": quote(ADDRESS, safe="").replace(MARK, "".join(f"%{ord(c):02X}" for c in MARK)),
    "base64": base64.b64encode(ADDRESS.encode()).decode(),
    "base64, offset 1": base64.b64encode(f"x{ADDRESS}".encode()).decode(),
    "base64, offset 2": base64.b64encode(f"xy{ADDRESS}".encode()).decode(),
    "hexadecimal": ADDRESS.encode().hex(),
    "A-label": f"a@b\u00fccher-{MARK}.example.com".encode("idna").decode(),
    "address without a canary": "recipient@example.org",
    "address as an id": f'{{"message_id": "{ADDRESS}"}}',
}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_leak_in_a_log_line_is_found(leak: str) -> None:
    assert find_leaks(f'{{"level": "INFO", "text": "{leak}", "records": 3}}') != []


@pytest.mark.parametrize(
    "line",
    [
        "",
        '{"level":"INFO","location":"_log:72","message":"batch","records":10,"exceptional":3,"quarantined":1}',
        '{"record_id":"0f3a","reason":"malformed: bounce.bounceType: string_type","contacts":["9b74c9897bac"]}',
        f'{{"message_id":"{MARK}.7"}}',
        "3 @ 4",
    ],
)
def test_intended_log_fields_are_no_leaks(line: str) -> None:
    assert find_leaks(line) == []


def test_only_documented_fields_of_an_event_may_contain_personal_data() -> None:
    documented = {"address": ADDRESS, "old_status": "active", "rev": 3, "configuration_set": MARK}
    assert find_leaks(undocumented(documented)) == []
    assert find_leaks(undocumented({**documented, "reason": canary("diagnosticCode")})) == [
        canary("diagnosticCode")[:-1] + "~"
    ]


def test_nearly_all_payloads_contain_personal_data() -> None:
    payloads = (generate_payload(seed) for seed in range(500))
    assert sum(bool(find_leaks(json.dumps(payload.event))) for payload in payloads) > 450
