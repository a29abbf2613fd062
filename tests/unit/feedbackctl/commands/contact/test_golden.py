"""Output of each command on a small stack, compared with files. `pytest --update-golden` writes them."""

from pathlib import Path

import pytest

from tests.support.builders import (
    OTHER_RECIPIENT,
    RECIPIENT,
    START,
    a_bounce,
    a_bounced_recipient,
    a_complaint,
    a_mail,
    a_subscription,
)
from tests.support.exported_files import POSTMARK, SENDGRID_BOUNCES
from tests.support.incident import WHERE, incident, reader
from tests.support.operated_stack import OperatedStack
from tests.support.transcript import compare_with_file, transcript

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "550 \x1b[2J\x1b]0;title\x07\x9b31m \u202egnp.exe =cmd|'/c calc'!A0 \x00\x7f\r\n"
TAGGED = "tagged@example.com"
OPTED_OUT = "opted-out@example.com"

READS = [
    ("contact", "show", RECIPIENT),
    ("contact", "show", TAGGED, "--all-variants"),
    ("contact", "show", OPTED_OUT),
    ("contact", "show", "unknown@example.com"),
    ("contact", "show", OTHER_RECIPIENT, "--json"),
    ("contact", "explain", RECIPIENT),
    ("contact", "explain", TAGGED),
    ("contact", "explain", TAGGED, "--json"),
    ("contact", "explain", reader(0)),
    ("contact", "list"),
    ("contact", "list", "--status", "complained", "--json"),
    ("contact", "list", "--domain", "example.org", "--csv"),
    ("contact", "list", "--tag", "campaign=spring", "--ndjson"),
    ("contact", "list", "--status-code", "5.1", "--limit", "1"),
    ("contact", "list", "--provider", "gmail"),
    ("contact", "list", "--diagnostic", "no such text"),
    ("contact", "list", "--diagnostic", "no such text", "--json"),
    ("contact", "list", "--since", "yesterday"),
    ("contact", "operations", "--json"),
    ("contact", "export", "--status", "unsubscribed"),
]
CHANGES = [
    ("contact", "reinstate", RECIPIENT, "--reason", "asked by phone"),
    ("contact", "reinstate", OTHER_RECIPIENT, "--reason", "asked by phone"),
    ("contact", "reinstate", OTHER_RECIPIENT, "--reason", "they asked", "--they-asked", "--json"),
    ("contact", "reinstate", RECIPIENT, TAGGED, "--reason", "two"),
    ("contact", "reinstate", RECIPIENT, "--reason", " "),
    ("contact", "reinstate", "--reason", "nothing given"),
    ("contact", "reinstate", "not an address", "--reason", "typing error"),
    ("contact", "reinstate", "--where", *WHERE, "--reason", "DMARC", "--dry-run"),
    ("contact", "reinstate", "--where", *WHERE, "--reason", "DMARC", "--yes"),
    ("contact", "operations"),
    ("contact", "reinstate", "--undo", "OPERATION", "--reason", "wrong", "--yes"),
    ("contact", "reinstate", "--undo", "unknown", "--reason", "wrong", "--yes"),
    ("contact", "suppress", RECIPIENT, "--reason", "legal"),
    ("contact", "unsubscribe", RECIPIENT, "--stream", "newsletter", "--reason", "by post", "--json"),
    ("contact", "unsubscribe", RECIPIENT, "--stream", "a b", "--reason", "by post"),
    ("contact", "resubscribe", RECIPIENT, "--reason", "by phone"),
    ("contact", "resubscribe", RECIPIENT, "--stream", "newsletter", "--reason", "by phone"),
    ("contact", "explain", RECIPIENT),
    ("contact", "erase", TAGGED, "--reason", "asked", "--yes"),
    ("contact", "erase", OTHER_RECIPIENT, "--reason", "asked", "--forget", "--yes", "--json"),
    ("contact", "erase", RECIPIENT, "--reason", "asked"),
]
IMPORTS = [
    ("contact", "import", "suppressions.json", "--reason", "moved", "--dry-run"),
    ("contact", "import", "suppressions.json", "--reason", "moved", "--yes"),
    ("contact", "import", "suppressions.json", "--reason", "moved", "--yes", "--json"),
    ("contact", "explain", "a@example.com"),
    ("contact", "explain", "a@example.com", "--json"),
    ("contact", "import", "suppression_bounces.csv", "--reason", "moved", "--yes", "--json"),
    (
        "contact",
        "import",
        "hostile.csv",
        "--columns",
        "email=1,text=2,date=3",
        "--kind",
        "bounce",
        "--reason",
        "x",
        "--yes",
    ),
    ("contact", "explain", "hostile@example.com"),
    ("contact", "import", "export.csv", "--reason", "moved"),
    ("contact", "import", "hostile.csv", "--reason", "moved"),
    ("contact", "import", "missing.csv", "--reason", "moved"),
    ("contact", "operations"),
    ("contact", "reinstate", "--undo", "OPERATION", "--reason", "wrong file", "--yes"),
]


@pytest.fixture
def used(stack: OperatedStack) -> OperatedStack:
    """Return a stack with a few contacts of each kind, among them hostile text."""
    recipient = a_bounced_recipient(TAGGED, diagnosticCode=f"smtp; {HOSTILE}", status="5.1.1")
    tags = {"ses:configuration-set": ["receipts"], "campaign": ["spring"], "note": ["\x1b[31mred\u202e"]}
    mail = a_mail(destination=["Tagged@example.com"], tags=tags, messageId="0100019c-tagged")
    stack.receive(
        a_bounce(),
        a_complaint(recipients=(OTHER_RECIPIENT,)),
        a_bounce(recipients=(recipient,), mail=mail, feedbackId="0100019c"),
        a_subscription(destination=(OPTED_OUT,)),
        *incident(2),
    )
    return stack


@pytest.mark.parametrize(("name", "commands"), [("reads", READS), ("changes", CHANGES), ("imports", IMPORTS)])
def test_output_is_that_of_the_file(
    used: OperatedStack, request: pytest.FixtureRequest, tmp_path: Path, name: str, commands: list[tuple[str, ...]]
) -> None:
    for exported in (POSTMARK, SENDGRID_BOUNCES, SENDGRID_BOUNCES._replace(name="export.csv")):
        (tmp_path / exported.name).write_text(exported.text)
    quoted = HOSTILE.replace('"', '""')
    (tmp_path / "hostile.csv").write_text(f'hostile@example.com,"{quoted}",2024-03-01\n\x1b[2J@,x,\n', newline="")
    compare_with_file(transcript(used, commands), GOLDEN / f"{name}.txt", request)


def test_no_address_is_in_a_reason_that_is_published(used: OperatedStack) -> None:
    used.run("contact", "suppress", "someone@example.com", "--reason", f"asked by {RECIPIENT} on {START}")
    assert used.item("someone@example.com")["reason"] == {"S": "Operator/suppressed"}
