"""Faults on purpose."""

import json

import pytest

from localaws.served.http_requests import Request
from localaws.served.injected_faults import FaultError, Faults, refusal


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def function_of(key: str) -> str:
    """Return the function that has a key."""
    return {"ASIA1": "stack-BounceFunction-1", "ASIA2": "stack-SuppressionFunction-1"}.get(key, "")


def a_call(operation: str = "PutItem", service: str = "dynamodb", key: str = "ASIA1") -> Request:
    """Return a call of an operation."""
    credential = f"Credential={key}/20260301/us-east-1/{service}/aws4_request"
    return Request("POST", "/", "", {"authorization": credential, "x-amz-target": f"T.{operation}"})


def test_a_fault_meets_what_it_names() -> None:
    """A service, an operation of it or all, and functions unless everyone."""
    faults = Faults(function_of)
    faults.replace([{"service": "dynamodb", "operation": "PutItem"}])
    calls = [a_call(), a_call("GetItem"), a_call(service="sqs"), a_call(key="AKIA1")]
    assert [faults.meeting(call) is not None for call in calls] == [True, False, False, False]
    faults.replace([{"service": "dynamodb", "callers": "everyone"}])
    assert [faults.meeting(call) is not None for call in calls] == [True, True, False, True]
    assert faults.met == 4


def test_a_fault_can_be_one_functions() -> None:
    """Named in part."""
    faults = Faults(function_of)
    faults.replace([{"service": "dynamodb", "callers": "BounceFunction"}])
    calls = [a_call(), a_call(key="ASIA2"), a_call(key="AKIA1")]
    assert [faults.meeting(call) is not None for call in calls] == [True, False, False]


def test_a_fault_ends_after_its_calls() -> None:
    """Two calls fail and the third does not."""
    faults = Faults(function_of)
    faults.replace([{"service": "dynamodb", "calls": 2}])
    assert [faults.meeting(a_call()) is not None for _ in range(3)] == [True, True, False]


def test_a_fault_ends_after_its_seconds() -> None:
    """Its time starts when it is put in force."""
    clock = Clock()
    faults = Faults(function_of, clock)
    clock.now = 100
    faults.replace([{"service": "dynamodb", "seconds": 5}])
    clock.now = 104.9
    assert faults.meeting(a_call()) is not None
    clock.now = 105
    assert faults.meeting(a_call()) is None


def test_a_wrong_fault_is_refused() -> None:
    """The answer says what is wrong with it, and the faults in force stay."""
    faults = Faults(function_of)
    faults.replace([{"service": "dynamodb"}])
    with pytest.raises(FaultError, match="unexpected keyword argument 'servise'"):
        faults.replace([{"servise": "sqs"}])
    assert faults.meeting(a_call()) is not None


def test_a_refusal_has_its_code_where_clients_look() -> None:
    """In a header and in the body."""
    faults = Faults(function_of)
    faults.replace([{"service": "ses", "status": 429, "code": "TooManyRequestsException"}])
    fault = faults.meeting(a_call(service="ses"))
    assert fault is not None
    answer = refusal(fault)
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (429, "TooManyRequestsException")
    assert json.loads(answer.body)["__type"] == "TooManyRequestsException"
