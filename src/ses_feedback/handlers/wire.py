"""DynamoDB as it is spoken: what callers hand over is sent as it is, and what comes back is handed over as it came.

Items are written in DynamoDB's own JSON anyway. botocore would still walk through every value of every item, both ways,
only to arrive at the same bytes: most of what a large call costs. Everything else stays botocore's: endpoints, signing,
connections, retries, checksums, and errors.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

_BODY = "wire_body"
_UNREAD = b"{}"
_ADDRESSED = ("TableName", "RequestItems")
"""What botocore finds the endpoint by."""


def speak(client: Any) -> Any:  # noqa: ANN401 (botocore makes its clients' classes at run time)
    """Make a DynamoDB client send and return documents as they are; return the client.

    Binary values are then base64 text both ways. The client must not validate parameters (`Config`), for it sees none.
    """
    client.meta.events.register("provide-client-params.dynamodb", _take)
    client.meta.events.register("before-call.dynamodb", _send)
    client.meta.events.register("before-parse.dynamodb", _receive)
    return client


def _take(params: Mapping[str, Any], context: dict[str, Any], **_: object) -> dict[str, Any]:
    """Keep the request, and leave botocore its outline to walk through."""
    try:
        context[_BODY] = to_json(params)
    except PydanticSerializationError:
        # Half a surrogate pair has no UTF-8. Escaped it can be sent, for DynamoDB to refuse.
        context[_BODY] = json.dumps(params).encode()
    outline = {name: params[name] for name in _ADDRESSED if name in params}
    return {name: {key: {} for key in value} if isinstance(value, dict) else value for name, value in outline.items()}


def _send(params: dict[str, Any], context: Mapping[str, Any], **_: object) -> None:
    params["body"] = context[_BODY]


def _receive(
    operation_model: Any,  # noqa: ANN401
    response_dict: dict[str, Any],
    customized_response_dict: dict[str, Any],
    **_: object,
) -> None:
    """Read a success, and leave botocore nothing to walk through. Errors and what is no object it reads itself."""
    if response_dict["status_code"] >= HTTPStatus.MULTIPLE_CHOICES:
        return
    try:
        said = from_json(response_dict["body"])
    except ValueError:
        return
    if isinstance(said, dict):
        # Only what is modelled, as botocore has it: made-up answers are told from DynamoDB's by what they lack.
        members = operation_model.output_shape.members
        customized_response_dict.update({name: said[name] for name in members if said.get(name) is not None})
        response_dict["body"] = _UNREAD
