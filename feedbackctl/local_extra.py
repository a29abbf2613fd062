"""The optional extra `local`: AWS emulation on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager

from feedbackctl.errors import OperatorError

_OWN_PACKAGES = frozenset({"feedbackctl", "localaws", "ses_feedback"})


@contextmanager
def local_extra(command: str) -> Iterator[None]:
    """Import modules that need the extra.

    Raises:
        OperatorError: a package of the extra is not installed. The message tells how to install it.

    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in _OWN_PACKAGES:
            raise
        raise OperatorError(
            f"`{command}` needs the optional extra `local`, and its package {package} is not installed. Install "
            "ses-feedback with the extra: `pip install '.[local]'` in a checkout, or `pip install 'WHEEL[local]'` with "
            "the path of the wheel"
        ) from None
