"""A headless Chromium, if this machine has one."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NAMES = ("chromium-headless-shell", "chrome-headless-shell", "chromium", "chromium-browser", "google-chrome")
# Names that resolve to this machine, as the attacker's own domain does after DNS rebinding.
_OPTIONS = ("--headless", "--disable-gpu", "--no-first-run", "--host-resolver-rules=MAP *.example.org 127.0.0.1")


def find_browser() -> str | None:
    """Return the path of the browser, or None. The variable CHROMIUM names another one."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def open_page(browser: str, url: str, profile: Path) -> Iterator[None]:
    """Open a page for the duration of the context."""
    with subprocess.Popen(  # noqa: S603 (the browser)
        _command(browser, profile, "--remote-debugging-port=0", url),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield
        finally:
            process.terminate()


def read_page(browser: str, url: str, profile: Path) -> str:
    """Return the document at a URL, after its scripts."""
    command = _command(browser, profile, "--dump-dom", url)
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout  # noqa: S603 (the browser)


def _command(browser: str, profile: Path, *arguments: str) -> list[str]:
    # Chromium's sandbox does not start as root: https://chromium.googlesource.com/chromium/src/+/main/docs/linux/sandboxing.md
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return [browser, *_OPTIONS, *sandbox, f"--user-data-dir={profile}", *arguments]
