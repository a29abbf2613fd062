"""The DynamoDB endpoint of a function, its credentials, and the certificate authorities of AWS endpoints."""

import re
from dataclasses import dataclass, field
from pathlib import Path

AMAZON_ROOTS = Path(__file__).parents[2] / "certificates" / "amazon.pem"
"""The certificates of Amazon's own authorities, which the package is built with."""
_AMAZON_SIGNED = re.compile(r"(us|eu|ap|sa|ca|me|af|il|mx|us-gov)-[a-z]+-[0-9]+")
"""The regions of the partitions aws and aws-us-gov (botocore's partitions.json), all below amazonaws.com."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where DynamoDB is, and what requests to it are signed with.

    `ca_bundle` is a file with the certificates to trust, empty for those that the machine trusts.
    """

    url: str
    region: str
    key_id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)
    ca_bundle: str = ""


def has_amazon_certificate(region: str) -> bool:
    """Say whether Amazon's own authorities sign for the endpoints of a region."""
    return _AMAZON_SIGNED.fullmatch(region) is not None
