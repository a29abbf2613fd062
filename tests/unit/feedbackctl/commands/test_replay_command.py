"""`feedbackctl replay`, as a person and as a script use it."""

import io
import json
import os
import socket
from pathlib import Path
from typing import Any, NoReturn

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from feedbackctl.__main__ import main
from feedbackctl.commands import replay
from feedbackctl.replay import display
from feedbackctl.replay.replay import Result as Replayed
from feedbackctl.replay.unapplied_messages import Finding
from tests.support.builders import (
    RECIPIENT,
    a_bounce,
    a_complaint,
    a_delivery,
    a_subscription,
    an_sqs_event,
    on_day,
    text,
)

NOTICE = "Successfully validated SNS topic for Amazon SES event publishing."


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    """A folder with a bit of everything."""
    (tmp_path / "bounce.json").write_text(text(a_bounce()))
    (tmp_path / "more.ndjson").write_text(f"{text(a_delivery(recipients=['x@example.org']))}\nnot JSON\n")
    (tmp_path / "notice.txt").write_text(NOTICE)
    return tmp_path


def feedbackctl(*arguments: str | Path) -> Result:
    """Run the command line."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def replayed(*arguments: str | Path) -> dict[str, Any]:
    """Replay and return the object that `--json` prints."""
    result = feedbackctl("replay", "--json", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    printed: dict[str, Any] = json.loads(result.stdout)
    return printed


def written(folder: Path, *documents: object) -> Path:
    """Write documents into a file of NDJSON."""
    file = folder / "documents.ndjson"
    file.write_text("".join(f"{text(document)}\n" for document in documents))
    return file


def shown(result: Replayed, *, width: int = 120, everything: bool = False) -> str:
    """Return what is shown of a result, on a screen of some width."""
    console = Console(file=io.StringIO(), width=width)
    display.show(console, result, 1, 2.0, everything=everything)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


# For scripts


def test_json_is_one_object_that_says_it_all(mail: Path) -> None:
    """Contacts, suppression list, metrics, and what was ignored and quarantined, each with where it came from."""
    printed = replayed(mail)
    lags = [printed["metrics"].pop(name) for name in ("FeedbackLag", "SuppressionLag")]
    assert lags[0] > lags[1] >= 0
    assert printed == {
        "contacts": [
            {
                "address": RECIPIENT,
                "status": "bounced",
                "may_send": False,
                "reason": "Permanent/General",
                "status_at": "2026-03-01T12:00:05.000Z",
                "delivered_on": "",
                "soft_bounce_days": [],
                "variants": [RECIPIENT],
                "synced": "BOUNCE",
                "pending_shard": False,
            },
            {
                "address": "x@example.org",
                "status": "active",
                "may_send": True,
                "reason": "",
                "status_at": "",
                "delivered_on": "2026-03-01",
                "soft_bounce_days": [],
                "variants": ["x@example.org"],
                "synced": "",
                "pending_shard": False,
            },
        ],
        "suppression_list": [{"address": RECIPIENT, "reason": "BOUNCE"}],
        "metrics": {
            "ContactSuppressed": 1,
            "Delivery": 1,
            "IgnoredMessage": 1,
            "PermanentBounce": 1,
            "Quarantined": 1,
        },
        "ignored": [{"source": f"{mail}/notice.txt", "why": "set-up notice"}],
        "quarantined": [{"source": f"{mail}/more.ndjson:2", "why": "not-json"}],
    }


def test_the_stacks_parameters_are_options(tmp_path: Path) -> None:
    """They are judged by, as the deployed stack would."""
    days = [a_bounce("Transient", "MailboxFull", at=on_day(day), recipients=["soft@example.com"]) for day in (0, 9, 18)]
    named = a_complaint(recipients=["one@example.com", "two@example.com"])
    file = written(tmp_path, *days, named, a_subscription(unsubscribe_all=True))
    statuses = {contact["address"]: contact["status"] for contact in replayed(file)["contacts"]}
    assert statuses == {
        "soft@example.com": "bouncing",
        "one@example.com": "unsubscribed",
        "two@example.com": "unsubscribed",
        RECIPIENT: "unsubscribed",
    }
    options = ["--soft-bounce-limit=2", "--ambiguous-complaint=note", "--suppress-unsubscribed"]
    strict = replayed(file, *options)
    assert {contact["address"]: contact["status"] for contact in strict["contacts"]} == {
        "soft@example.com": "suspended",
        RECIPIENT: "unsubscribed",
    }
    assert strict["suppression_list"] == [
        {"address": RECIPIENT, "reason": "COMPLAINT"},
        {"address": "soft@example.com", "reason": "BOUNCE"},
    ]
    assert replayed(file, *options, "--soft-bounce-window-days=8")["contacts"][-1]["status"] == "bouncing"


def test_replaying_needs_neither_credentials_nor_network(mail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable is read, and no connection opened."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a connection was opened")

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "/nowhere")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert len(replayed(mail)["contacts"]) == 2


# For people


def test_tables_tell_a_person(mail: Path) -> None:
    """What came of how much, every contact with its reason, the list, the metrics, what was left aside and why."""
    result = feedbackctl("replay", mail)
    assert (result.exit_code, result.stderr) == (0, "")
    printed = " ".join(result.stdout.split())
    for expected in (
        "4 messages from 3 files",
        "2 applied 1 ignored 1 quarantined",
        "Contacts 2: 1 may not be mailed, 1 may",
        f"bounced 1 {RECIPIENT} Permanent/General 2026-03-01 BOUNCE",
        "active 1 x@example.org",
        "Suppression list 1 BOUNCE",
        "PermanentBounce 1",
        f"set-up notice 1 {mail}/notice.txt",
        f"not-json 1 {mail}/more.ndjson:2",
    ):
        assert expected in printed


def test_what_is_piped_is_plain(mail: Path) -> None:
    """No colours, no progress bar, and no line of the functions' own."""
    result = feedbackctl("replay", mail)
    assert ("\x1b" in result.output, "{" in result.output) == (False, False)


def test_long_tables_are_cut_and_say_so(tmp_path: Path) -> None:
    """`--all` shows every row."""
    delivered, bounced = ([f"{number}@{name}.example.com" for number in range(25)] for name in ("good", "bad"))
    file = written(tmp_path, a_delivery(recipients=delivered), a_bounce(recipients=bounced), *["not JSON"] * 9)
    short, long = (feedbackctl("replay", *flags, file).stdout for flags in ([], ["--all"]))
    assert [short.count(f"and {number} more") for number in (22, 8, 7)] == [2, 1, 1]
    assert ("--all" in short, "more" in long, "--all" in long) == (True, False, False)
    assert (short.count("@"), long.count("@")) == (3 + 3 + 17, 25 + 25 + 25)


def test_the_sandbox_leaves_entries_waiting(tmp_path: Path) -> None:
    """It says that SES refused, in whose words, and which contacts wait."""
    result = feedbackctl("replay", "--sandbox", written(tmp_path, a_bounce()))
    assert (result.exit_code, "waiting" in result.stdout) == (0, True)
    assert "empty; SES refused 1 (BadRequestException)" in result.stdout


def test_an_echo_is_told_as_what_it_is(tmp_path: Path) -> None:
    """SES says that the address is on its list; this one began empty."""
    result = feedbackctl("replay", written(tmp_path, a_bounce(sub_type="OnAccountSuppressionList")))
    assert "SES says so" in result.stdout
    assert "Suppression list  empty" in result.stdout


def test_logs_go_to_standard_error(mail: Path) -> None:
    """As the functions write them, so that standard output stays what it is."""
    result = feedbackctl("replay", "--json", "--logs", mail)
    assert json.loads(result.stdout)["contacts"]
    messages = [json.loads(line)["message"] for line in result.stderr.splitlines()]
    assert (messages[:2], set(messages[2:])) == (["record", "batch"], {"stream"})


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_no_line_is_wider_than_the_screen(width: int) -> None:
    """Whatever the messages are called."""
    findings = [Finding(f"{'folder/' * 30}{number}.json", "not-json") for number in range(3)]
    lines = shown(Replayed(messages=3, quarantined=findings), width=width).splitlines()
    assert max(map(len, lines)) <= width


def test_a_terminal_that_knows_no_unicode_is_spared_it() -> None:
    """The bar and the rules are drawn with what it has."""
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    display.show(Console(file=output, width=80), Replayed(messages=1), 1, 1.0, everything=False)
    output.flush()
    assert isinstance(output.buffer, io.BytesIO)
    assert b"---" in output.buffer.getvalue()


def test_lags_are_told_in_units_people_use() -> None:
    """From milliseconds to days."""
    lags = {"FeedbackLag": 3 * 86_400_000, "SuppressionLag": 12}
    assert [line.split()[-2:] for line in shown(Replayed(metrics=lags)).splitlines() if "Lag " in line] == [
        ["3", "d"],
        ["12", "ms"],
    ]


def test_long_replays_show_progress(mail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, on standard error, and gone when it is done."""
    monkeypatch.setattr(replay, "PATIENCE", 0.0)
    monkeypatch.setenv("FORCE_COLOR", "1")
    result = feedbackctl("replay", "--json", mail)
    assert "Replaying" in result.stderr
    assert json.loads(result.stdout)["contacts"]


# When something is wrong


def test_a_message_that_could_not_be_applied_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard error names it, and how many there are."""
    left = [Finding("mail.json", "unreadable-contact")]
    assert not replay.conclude(Replayed(messages=3, left=left))
    assert capsys.readouterr().err.splitlines() == [
        "Not applied: mail.json: unreadable-contact",
        "Error: 1 of 3 messages could not be applied.",
    ]
    assert "1 NOT APPLIED" in shown(Replayed(messages=3, left=left))


def test_a_list_that_does_not_follow_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """Though every message was applied."""
    assert not replay.conclude(Replayed(messages=1, settled=False))
    assert capsys.readouterr().err == "Error: the suppression list still does not sync the contacts.\n"


def test_a_replay_that_fails_exits_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And still shows what became of everything else."""
    monkeypatch.setattr("feedbackctl.replay.replay.ROUNDS", 0)
    result = feedbackctl("replay", written(tmp_path, an_sqs_event(a_bounce())))
    assert (result.exit_code, "waiting" in result.stdout) == (1, True)


def test_a_missing_path_is_a_mistake_in_the_command(tmp_path: Path) -> None:
    """It is named."""
    result = feedbackctl("replay", tmp_path / "missing.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "missing.json' does not exist" in result.stderr


def test_an_empty_folder_is_a_mistake_in_the_command(tmp_path: Path) -> None:
    """It is named, too."""
    result = feedbackctl("replay", tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"the folder {tmp_path} holds no messages" in " ".join(result.stderr.split())


def test_no_path_is_a_mistake_in_the_command() -> None:
    """There is nothing to replay."""
    assert feedbackctl("replay").exit_code == 2


def test_a_file_that_cannot_be_read_is_named(mail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It went, or changed, since it was found."""

    def gone(*_: object) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", gone)
    result = feedbackctl("replay", mail)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: {mail}/bounce.json can't be read: Permission denied\n"


@pytest.mark.parametrize("arguments", [["--help"], ["replay", "--help"], ["replay", "-h"]])
def test_help_is_to_be_had(arguments: list[str]) -> None:
    """Every command says what it does."""
    result = feedbackctl(*arguments)
    assert (result.exit_code, "Usage: " in result.stdout) == (0, True)


def test_the_version_is_told() -> None:
    """The package's."""
    assert feedbackctl("--version").stdout.startswith("ses-feedback ")
