"""Preference messages: an application reports that a person opted out of email, or into it.

The message is the body of an SQS message in the complaint queue. docs/operate/preference-message.schema.json is its
schema, and docs/operate/streams.md describes it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, StrictInt, ValidationError

from ses_feedback.address import Address, parse_address
from ses_feedback.address_syntax import MAX_LENGTH
from ses_feedback.immutable import Struct
from ses_feedback.timestamps import read_timestamp

SUBSCRIBE = "subscribe"
MALFORMED = "malformed-preference"
MAX_REASON_LENGTH = 200
"""Characters of the application's reason."""

# RFC 3339, section 5.6: https://www.rfc-editor.org/rfc/rfc3339#section-5.6
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$"


class PreferenceError(ValueError):
    """The document is not a preference message.

    `reason` names the malformed fields, without their values and without the names of unknown fields.
    """

    def __init__(self, where: tuple[str, ...]) -> None:
        """Store fields such as `("stream: string_pattern_mismatch",)`."""
        self.reason = f"{MALFORMED}: {', '.join(where)}"
        super().__init__(self.reason)


class PreferenceMessage(Struct, frozen=True):
    """A person's request, as an application reports it.

    `preference` is `unsubscribe` or `subscribe`. `stream` is empty for all email. `stated_reason` is the application's
    own text. `id` and `time` identify the request: copies of a message have equal ones.
    """

    preference: str
    address: Address
    time: datetime
    id: str
    stream: str = ""
    stated_reason: str = ""


def is_preference(document: Mapping[str, Any]) -> bool:
    """True if a JSON object is a preference message, even a malformed one."""
    return "preference" in document and "eventType" not in document and "notificationType" not in document


def parse_preference(document: Mapping[str, Any]) -> PreferenceMessage:
    """Return the preference message in `document`, a decoded JSON object.

    An unknown field is an error: a misspelled `stream` would otherwise opt the person out of all email.

    Raises:
        PreferenceError: The document does not follow the schema.

    """
    try:
        read = _Document.model_validate(document)
        time = read_timestamp(read.time)
    except ValidationError as error:
        # Without the cause: pydantic's message may quote the document.
        raise PreferenceError(tuple(dict.fromkeys(map(_fault, error.errors())))) from None
    except ValueError:
        raise PreferenceError(("time: no_time",)) from None
    return PreferenceMessage(read.preference, read.address, time, read.id, read.stream or "", read.reason or "")


def _fault(fault: Any) -> str:  # noqa: ANN401 (pydantic's ErrorDetails)
    name = str(fault["loc"][0]) if fault["loc"] else ""
    return f"{name if name in _Document.model_fields else 'unknown field'}: {fault['type']}"


def _address(value: object) -> object:
    # AddressError is a ValueError, which pydantic reports as the field's fault.
    return parse_address(value) if isinstance(value, str) and len(value) <= MAX_LENGTH else value


def _known_version(value: object) -> object:
    # `True` and `1.0` equal 1.
    if type(value) is not int or value != 1:
        raise ValueError
    return value


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True, hide_input_in_errors=True)

    preference: Literal["unsubscribe", "subscribe"]
    version: Annotated[StrictInt, BeforeValidator(_known_version)]
    address: Annotated[InstanceOf[Address], BeforeValidator(_address)]
    stream: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    reason: Annotated[str, Field(max_length=MAX_REASON_LENGTH)] | None = None
    time: Annotated[str, Field(pattern=_TIME)]
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
