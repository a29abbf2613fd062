"""Web pages cannot use the local AWS. A real browser opens them. Collected only if there is one (`browser.py`)."""

from pathlib import Path

import pytest

from tests.e2e.browser import find_browser, open_page, read_page
from tests.e2e.hostile_page import serve_hostile_page
from tests.e2e.stack_under_test import StackUnderTest

# The browser does not let the page see whether a request without a preflight succeeded, so the state is compared.
EXPECTED = {
    "simple request": "sent",
    "reset": "sent",
    "control API": "sent",
    "read": "refused",
    "preflight": "refused",
    "key test": "refused",
    "key local": "refused",
    "key 123456789012": "refused",
    "key ": "refused",
    "form": "undefined",
    "image": "0",
    "script": "refused",
    "websocket": "refused",
}


@pytest.fixture(scope="module")
def browser() -> str:
    """Return the path of the browser."""
    path = find_browser()
    assert path is not None
    return path


def read_state(stack: StackUnderTest) -> tuple[list[str], list[str], object]:
    """Return the state that the attacks try to change: roles, stacks and the sandbox."""
    roles = [role["RoleName"] for role in stack.client("iam").list_roles()["Roles"]]
    stacks = [each["StackName"] for each in stack.client("cloudformation").describe_stacks()["Stacks"]]
    return roles, stacks, stack.client("sesv2").get_account()["ProductionAccessEnabled"]


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("origin", ["attacker.example.org", "localhost"])
def test_page_cannot_change_or_read_anything(
    stack: StackUnderTest, browser: str, tmp_path: Path, origin: str, address: str
) -> None:
    before = read_state(stack)
    with (
        serve_hostile_page(stack.server.url.replace("127.0.0.1", address)) as page,
        open_page(browser, f"http://{origin}:{page.port}/", tmp_path),
    ):
        assert page.done.wait(60)
    assert (read_state(stack), page.results) == (before, EXPECTED)


def test_page_cannot_reach_the_server_after_dns_rebinding(stack: StackUnderTest, browser: str, tmp_path: Path) -> None:
    """The page has the server's own origin, because its domain resolves to this machine."""
    document = read_page(browser, f"http://attacker.example.org:{stack.server.port}/_feedbackctl/state", tmp_path)
    assert "The Host header is not an address of this server." in document
