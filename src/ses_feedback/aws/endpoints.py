"""The DynamoDB endpoint of a function, its credentials, and the certificate authorities of AWS endpoints."""

import re
from dataclasses import dataclass, field
from pathlib import Path

AMAZON_ROOTS = Path(__file__).parents[2] / "certificates" / "amazon.pem"
"""The certificates of Amazon Trust Services, which the package build adds: https://www.amazontrust.com/repository/"""
_AMAZON_TRUST_REGION = re.compile(r"(us|eu|ap|sa|ca|me|af|il|mx|us-gov)-[a-z]+-[0-9]+")
"""The Regions of the partitions aws and aws-us-gov (botocore's partitions.json), all below amazonaws.com."""


@dataclass(frozen=True, slots=True)
class Access:
    """The endpoint of DynamoDB, and the credentials that sign requests to it.

    `ca_bundle` is a file with the certificates to trust, or empty for those of the operating system.
    """

    url: str
    region: str
    key_id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)
    ca_bundle: str = ""


def has_amazon_certificate(region: str) -> bool:
    """Return True if Amazon Trust Services issues the certificates of the endpoints in a Region."""
    return _AMAZON_TRUST_REGION.fullmatch(region) is not None
