"""Screen of the demo, and the image of it in the documentation."""

import io
import re
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from localaws.demo.recipients import create_recipients
from localaws.demo.screen import Screen, create_console, save_svg

ROOT = Path(__file__).parents[4]
RUN = "000001"
CONTACT = {
    "address": {"S": f"mailboxfull+sue.{RUN}@example.com"},
    "status": {"S": "bouncing"},
    "may_send": {"BOOL": True},
    "reason": {"S": "Transient/MailboxFull"},
}
READER = {
    "address": {"S": f"nia.{RUN}@example.com"},
    "no_streams": {"L": [{"S": "newsletter"}]},
    "delivered": {"L": [{"N": "1"}]},
}
REPORTS = {
    f"complaint+zoe.{RUN}@example.com": ["Complaint/abuse", "Complaint/OnAccountSuppressionList"],
    f"bounce+{RUN}@simulator.amazonses.com": ["Permanent/General"],
}


def print_screen(console: Console) -> None:
    """Print all tables of the demo."""
    screen = Screen(console, RUN)
    screen.show_contacts([CONTACT], Counter(active=16))
    screen.show_reports(REPORTS)
    screen.show_reader(READER, {"newsletter": False, "receipt": True})
    screen.show_metrics({"Delivery": "17"}, {"Contact Status Changed": 13, "Contact Preferences Changed": 1})


def test_screen_shows_short_addresses_in_eighty_columns() -> None:
    output = io.StringIO()
    print_screen(Console(file=output, width=80))
    text = output.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "may send newsletter may send receipt last delivery" in re.sub(" +", " ", text)
    assert re.search(r"nia@example.com +newsletter +no +yes +receipt", text)
    shown = ("mailboxfull+sue@example.com", "and 16 more @example.com", "complaint+zoe@example.com", "bounce@simulator")
    assert [address for address in shown if address not in text] == []
    assert RUN not in text


def test_addresses_are_complete_in_eighty_columns_if_other_columns_have_their_longest_values() -> None:
    longest = {"status": {"S": "complained"}, "reason": {"S": "Transient/MailboxFull"}, "synced": {"S": "COMPLAINT"}}
    contacts = [{**CONTACT, **longest, "address": {"S": address}} for address in create_recipients(RUN).remarkable]
    output = io.StringIO()
    Screen(Console(file=output, width=80), RUN).show_contacts(contacts, Counter())
    assert "…" not in output.getvalue()


def test_image_refers_to_no_other_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    console = create_console(record=True)
    print_screen(console)
    save_svg(console, tmp_path / "demo.svg")
    svg = (tmp_path / "demo.svg").read_text()
    assert 'url("' not in svg
    assert "@font-face" not in svg
    assert "MailboxFull" in svg
    assert "MailboxFull" in capsys.readouterr().out


def test_committed_image_has_the_current_titles_and_no_local_path() -> None:
    """If this test fails, `make demo-image` writes a current image."""
    text = (ROOT / "docs" / "demo.svg").read_text().replace("&#160;", " ")
    titles = (
        "Contacts after the first email",
        "SES suppression list",
        "Reports from SES",
        "A person left the newsletter",
        "Metrics",
    )
    assert [title for title in titles if title not in text] == []
    assert re.findall(r"/(?:home|root|tmp|Users|work)/", text) == []
