"""TXT records from DNS, with the optional extra `dns`."""

from importlib import import_module

from feedbackctl.doctor.aws_reader import UnavailableError
from feedbackctl.errors import OperatorError

_SECONDS = 5.0


def look_up_txt(name: str) -> list[str]:
    """Return the TXT records of a name; none if the name does not exist or has none.

    Raises:
        OperatorError: the extra is not installed.
        UnavailableError: the name server does not answer.

    """
    try:
        resolver, exception = import_module("dns.resolver"), import_module("dns.exception")
    except ModuleNotFoundError:
        raise OperatorError("--dns needs the optional extra `dns`: pip install 'ses-feedback[dns]'") from None
    try:
        answers = resolver.resolve(name, "TXT", lifetime=_SECONDS)
    except (resolver.NXDOMAIN, resolver.NoAnswer):
        return []
    except exception.DNSException as error:
        raise UnavailableError(type(error).__name__) from None
    return [b"".join(answer.strings).decode("utf-8", "replace") for answer in answers]
