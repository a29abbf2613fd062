"""The requests that meet a fault, and the end of a fault."""

import json

import pytest

from localaws.server.http_messages import Request
from localaws.server.injected_faults import FaultError, Faults, to_response


class Clock:
    """A clock that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


def find_function(key: str) -> str:
    """Return the function with an access key, or an empty string."""
    return {"ASIA1": "stack-BounceFunction-1", "ASIA2": "stack-SuppressionFunction-1"}.get(key, "")


def create_call(operation: str = "PutItem", service: str = "dynamodb", key: str = "ASIA1") -> Request:
    """Return a signed request."""
    credential = f"Credential={key}/20260301/us-east-1/{service}/aws4_request"
    return Request("POST", "/", "", {"authorization": credential, "x-amz-target": f"T.{operation}"})


def test_fault_matches_its_service_operation_and_callers() -> None:
    faults = Faults(find_function)
    faults.replace([{"service": "dynamodb", "operation": "PutItem"}])
    calls = [create_call(), create_call("GetItem"), create_call(service="sqs"), create_call(key="AKIA1")]
    assert [faults.take_matching(call) is not None for call in calls] == [True, False, False, False]
    faults.replace([{"service": "dynamodb", "callers": "everyone"}])
    assert [faults.take_matching(call) is not None for call in calls] == [True, True, False, True]
    assert faults.met == 4


def test_fault_can_be_limited_to_functions_by_a_part_of_the_name() -> None:
    faults = Faults(find_function)
    faults.replace([{"service": "dynamodb", "callers": "BounceFunction"}])
    calls = [create_call(), create_call(key="ASIA2"), create_call(key="AKIA1")]
    assert [faults.take_matching(call) is not None for call in calls] == [True, False, False]


def test_fault_ends_after_its_number_of_calls() -> None:
    faults = Faults(find_function)
    faults.replace([{"service": "dynamodb", "calls": 2}])
    assert [faults.take_matching(create_call()) is not None for _ in range(3)] == [True, True, False]


def test_fault_ends_after_its_seconds_since_activation() -> None:
    clock = Clock()
    faults = Faults(find_function, clock)
    clock.now = 100
    faults.replace([{"service": "dynamodb", "seconds": 5}])
    clock.now = 104.9
    assert faults.take_matching(create_call()) is not None
    clock.now = 105
    assert faults.take_matching(create_call()) is None


def test_invalid_description_is_refused_and_the_active_faults_stay() -> None:
    faults = Faults(find_function)
    faults.replace([{"service": "dynamodb"}])
    with pytest.raises(FaultError, match="unexpected keyword argument 'servise'"):
        faults.replace([{"servise": "sqs"}])
    assert faults.take_matching(create_call()) is not None


def test_error_response_has_its_code_in_header_and_body() -> None:
    faults = Faults(find_function)
    faults.replace([{"service": "ses", "status": 429, "code": "TooManyRequestsException"}])
    fault = faults.take_matching(create_call(service="ses"))
    assert fault is not None
    response = to_response(fault)
    assert (response.status, response.headers["x-amzn-errortype"]) == (429, "TooManyRequestsException")
    assert json.loads(response.body)["__type"] == "TooManyRequestsException"
