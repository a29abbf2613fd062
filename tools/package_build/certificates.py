"""The certificates of Amazon's authorities, from a bundle of all authorities."""

import re
import ssl
from collections.abc import Iterator
from typing import Any

AUTHORITIES = (
    "Amazon Root CA 1",
    "Amazon Root CA 2",
    "Amazon Root CA 3",
    "Amazon Root CA 4",
    "Starfield Services Root Certificate Authority - G2",
)
"""The common names of the five roots of Amazon Trust Services, which recommends trust in all of them. Two more roots of
Starfield ("Class 2" and "Root … - G2") belong to GoDaddy: https://www.amazontrust.com/repository/"""
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n.*?-----END CERTIFICATE-----\n", re.DOTALL)


class MissingAuthorityError(Exception):
    """The bundle does not have exactly one certificate of each authority."""


def amazon_roots(bundle: str) -> str:
    """Return the certificates of `AUTHORITIES` in a PEM bundle, in their order, each under its name.

    Raises:
        MissingAuthorityError: the bundle lacks an authority or has two certificates with its name. With a short list,
            the functions could not connect to AWS.

    """
    found: dict[str, list[str]] = {name: [] for name in AUTHORITIES}
    for certificate in _CERTIFICATE.findall(bundle):
        for name in _read_common_names(certificate):
            if name in found:
                found[name].append(certificate)
    wrong = [f"{name}: {len(certificates)}" for name, certificates in found.items() if len(certificates) != 1]
    if wrong:
        raise MissingAuthorityError(f"Each authority needs one certificate in the bundle, which has {', '.join(wrong)}")
    return "\n".join(f"# {name}\n{certificate}" for name, (certificate,) in found.items())


def _read_common_names(certificate: str) -> Iterator[str]:
    """Yield the common names of the subject of a certificate. The comments of a bundle are not evidence."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=certificate)
    for parsed in context.get_ca_certs():
        # https://docs.python.org/3/library/ssl.html#ssl.SSLSocket.getpeercert: a tuple of tuples of pairs
        names: Any = parsed["subject"]
        yield from (value for relative_name in names for key, value in relative_name if key == "commonName")
