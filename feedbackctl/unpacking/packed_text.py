"""The text of a message that quarantine packed, because SQS does not carry its characters or its length."""

import base64
import gzip
import zlib
from io import BytesIO

from ses_feedback.aws.quarantine import MAX_MESSAGE_BYTES, PACKED


def unpack_text(body: str, encoding: str, most: int = MAX_MESSAGE_BYTES + 1) -> str | None:
    """Return the text in a body with this attribute `encoding`, or None if it is damaged.

    A small packed text can be huge when unpacked, so a text is cut off after `most` bytes, more than SQS carries.
    """
    if encoding != PACKED:
        return body
    try:
        with gzip.open(BytesIO(base64.b64decode(body))) as packed:
            raw = packed.read(most)
        # Lone surrogates stay as quarantine packed them. SQS does not carry them, and no other text may replace them.
        return raw.decode("utf-8", "surrogatepass")
    except (ValueError, EOFError, OSError, zlib.error):
        return None
