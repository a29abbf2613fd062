"""`feedbackctl replay`: JSON, tables, progress, errors."""

import io
import json
import os
import socket
import sys
import time
from dataclasses import fields
from datetime import datetime, timedelta, tzinfo
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from feedbackctl.__main__ import main
from feedbackctl.commands import replay
from feedbackctl.local_extra import local_extra
from feedbackctl.replay import progress
from feedbackctl.replay.policy_options import RESOURCES, WITHOUT_EFFECT, option_names
from feedbackctl.replay.result import Finding, ReplayResult
from feedbackctl.replay.runner import ReplayRunner
from feedbackctl.replay.tables import print_tables
from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.settings import Settings, from_environment
from ses_feedback.timestamps import format_timestamp
from tests.support.builders import (
    RECIPIENT,
    a_bounce,
    a_complaint,
    a_delivery,
    a_mail,
    a_subscription,
    an_sqs_event,
    on_day,
    text,
)


class LaterClock(datetime):
    """A clock that is more than a year ahead."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "LaterClock":
        """Return a later time."""
        return super().now(tz) + timedelta(days=400)


NOTICE = "Successfully validated SNS topic for Amazon SES event publishing."


@pytest.fixture
def messages(tmp_path: Path) -> Path:
    """A folder with a bounce, a delivery, a malformed message and a notice."""
    (tmp_path / "bounce.json").write_text(text(a_bounce()))
    delivery = a_delivery(recipients=["x@example.org"], mail=a_mail(destination=["x@example.org"]))
    (tmp_path / "more.ndjson").write_text(f"{text(delivery)}\nnot JSON\n")
    (tmp_path / "notice.txt").write_text(NOTICE)
    return tmp_path


def feedbackctl(*arguments: str | Path) -> Result:
    """Run the command line."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def replay_as_json(*arguments: str | Path) -> dict[str, Any]:
    """Replay, and return the object that `--json` prints."""
    result = feedbackctl("replay", "--json", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    printed: dict[str, Any] = json.loads(result.stdout)
    return printed


def write_ndjson(folder: Path, *documents: object) -> Path:
    """Write documents to an NDJSON file, and return the file."""
    file = folder / "documents.ndjson"
    file.write_text("".join(f"{text(document)}\n" for document in documents))
    return file


def a_soft_bounce(address: str, at: datetime) -> dict[str, Any]:
    """Return a soft bounce at the time of its email."""
    mail = a_mail(destination=[address]) | {"timestamp": format_timestamp(at)}
    return a_bounce("Transient", "MailboxFull", at=at, recipients=[address], mail=mail)


def render(result: ReplayResult, *, width: int = 120, all_rows: bool = False) -> str:
    """Return the printed tables."""
    console = Console(file=io.StringIO(), width=width)
    print_tables(console, result, 1, 2.0, all_rows=all_rows)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


# JSON


def test_json_has_contacts_list_metrics_and_findings_with_their_source(messages: Path) -> None:
    printed = replay_as_json(messages)
    lags = [printed["metrics"].pop(name) for name in ("FeedbackLag", "SuppressionLag")]
    assert lags[0] > lags[1] >= 0
    assert printed == {
        "version": 1,
        "contacts": [
            {
                "address": RECIPIENT,
                "status": "bounced",
                "may_send": False,
                "may_send_transactional": False,
                "no_streams": [],
                "reason": "Permanent/General",
                "status_at": "2026-03-01T12:00:05.000Z",
                "release_at": "",
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
                "may_send_transactional": True,
                "no_streams": [],
                "reason": "",
                "status_at": "",
                "release_at": "",
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
        "ignored": [{"source": f"{messages}/notice.txt", "why": "set-up notice"}],
        "quarantined": [{"source": f"{messages}/more.ndjson:2", "why": "not-json"}],
    }


def test_parameters_of_the_stack_are_options_with_the_same_effect(tmp_path: Path) -> None:
    days = [a_soft_bounce("soft@example.com", on_day(day)) for day in (0, 9, 18)]
    complaint = a_complaint(
        recipients=["one@example.com", "two@example.com"],
        mail=a_mail(destination=["one@example.com", "two@example.com"]),
    )
    file = write_ndjson(tmp_path, *days, complaint, a_subscription(unsubscribe_all=True))
    statuses = {contact["address"]: contact["status"] for contact in replay_as_json(file)["contacts"]}
    assert statuses == {
        "soft@example.com": "bouncing",
        "one@example.com": "unsubscribed",
        "two@example.com": "unsubscribed",
        RECIPIENT: "unsubscribed",
    }
    options = ["--soft-bounce-limit=2", "--list-suspended", "--ambiguous-complaint=note", "--suppress-unsubscribed"]
    strict = replay_as_json(file, *options)
    assert {contact["address"]: contact["status"] for contact in strict["contacts"]} == {
        "soft@example.com": "suspended",
        RECIPIENT: "unsubscribed",
    }
    assert strict["suppression_list"] == [
        {"address": RECIPIENT, "reason": "COMPLAINT"},
        {"address": "soft@example.com", "reason": "BOUNCE"},
    ]
    assert replay_as_json(file, *options, "--soft-bounce-window-days=8")["contacts"][-1]["status"] == "bouncing"


def test_replay_needs_no_credentials_and_no_network(messages: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a connection was opened")

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "/nowhere")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert len(replay_as_json(messages)["contacts"]) == 2


def test_suspension_has_ended_at_a_later_time(tmp_path: Path) -> None:
    days = [a_soft_bounce("soft@example.com", on_day(day)) for day in (0, 1)]
    file = write_ndjson(tmp_path, *days)
    options = ["--soft-bounce-limit=2", "--suspension-days=30"]
    (suspended,) = replay_as_json(file, *options)["contacts"]
    (released,) = replay_as_json(file, *options, "--at=2026-05-01T00:00:00Z")["contacts"]
    assert (suspended["status"], suspended["release_at"] != "") == ("suspended", True)
    assert released["status"] != "suspended"


# Every setting that is not the name of a resource, with another value than its default.
PARAMETERS = {
    "soft_bounce_limit": "3",
    "soft_bounce_window_days": "90",
    "suspension_days": "7",
    "list_suspended": "",
    "deliveries_by": "None",
    "streams": "newsletter,offers",
    "ambiguous_complaint": "note",
    "history_days": "30",
    "metric_configuration_sets": "newsletter",
    "suppression_rate": "0.5",
    "suppress_unsubscribed": "",
}


def test_every_setting_of_the_policy_is_an_option_with_its_default(
    messages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new setting is an option, or the name of a resource."""
    assert set(option_names()) == PARAMETERS.keys()
    assert {field.name for field in fields(Settings)} == PARAMETERS.keys() | RESOURCES | WITHOUT_EFFECT
    used: list[Settings] = []

    def record(aws: EmbeddedAws, settings: Settings, *arguments: Any) -> ReplayRunner:  # noqa: ANN401
        used.append(settings)
        return ReplayRunner(aws, settings, *arguments)

    monkeypatch.setattr("feedbackctl.replay.embedded_stack.ReplayRunner", record)
    options = [f"--{name.replace('_', '-')}" + (value and f"={value}") for name, value in PARAMETERS.items()]
    for arguments in ([], options):
        replay_as_json(messages, *arguments)
    defaults = from_environment({"TABLE_NAME": "Contacts"})
    changed = from_environment(
        {"TABLE_NAME": "Contacts"} | {name.upper(): value or "true" for name, value in PARAMETERS.items()}
    )
    for name in PARAMETERS:
        assert [getattr(one, name) for one in used] == [getattr(one, name) for one in (defaults, changed)]
        assert getattr(defaults, name) != getattr(changed, name)


def test_same_file_has_the_same_result_on_any_day(messages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No part of the result comes from the clock of this machine."""
    (messages / "undated.json").write_text('{"eventType": "Bounce"}')
    for options in ([], ["--explain", RECIPIENT], ["--at=2027-01-01T00:00:00Z"]):
        first = replay_as_json(messages, *options)
        with monkeypatch.context() as another_day:
            real = time.time()
            another_day.setattr(time, "time", lambda real=real: real + 400 * 86_400)
            another_day.setattr("localaws.in_process.virtual_clock.datetime", LaterClock)
            another_day.setattr("ses_feedback.handlers.deadline.datetime", LaterClock)
            assert replay_as_json(messages, *options) == first


def test_without_a_dated_message_the_result_does_not_depend_on_the_day(tmp_path: Path) -> None:
    bounce = a_bounce()
    del bounce["bounce"]["timestamp"], bounce["mail"]["timestamp"]
    (tmp_path / "undated.json").write_text(text(bounce))
    [contact] = replay_as_json(tmp_path)["contacts"]
    assert (contact["status"], contact["status_at"]) == ("bounced", "2000-01-01T00:00:01.000Z")


def test_standard_input_is_read_as_a_file(messages: Path) -> None:
    stdin = (messages / "more.ndjson").read_bytes()
    result = CliRunner().invoke(main, ["replay", "--json", "-", str(messages / "bounce.json")], input=stdin)
    printed = json.loads(result.stdout)
    assert (result.exit_code, printed["quarantined"]) == (0, [{"source": "-:2", "why": "not-json"}])
    assert [contact["address"] for contact in printed["contacts"]] == [RECIPIENT, "x@example.org"]


def test_explain_prints_the_history_of_one_contact_as_contact_explain_does(messages: Path) -> None:
    result = feedbackctl("replay", messages, "--explain", f"Name <{RECIPIENT.upper()}>")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{RECIPIENT} is bounced.\n2026-03-01T12:00:05.000Z  Bounce Permanent/General")
    assert result.stdout.splitlines()[-1].startswith("To undo: `feedbackctl contact reinstate ADDRESS")
    document = replay_as_json(messages, "--explain", RECIPIENT)
    assert document.keys() == {"version", "contact", "history", "insights", "undo"}
    assert (document["contact"]["status"], [entry["kind"] for entry in document["history"]]) == ("bounced", ["Bounce"])
    assert replay_as_json(messages, "--explain", "unknown@example.com")["contact"]["known"] is False


@pytest.mark.parametrize(
    "option",
    [
        "--at=yesterday",
        "--streams=two words",
        "--soft-bounce-limit=0",
        "--suppression-rate=fast",
        "--deliveries-by=Mail",
        "--explain=no-address",
    ],
)
def test_invalid_parameter_is_a_usage_error(messages: Path, option: str) -> None:
    result = feedbackctl("replay", option, messages)
    assert (result.exit_code, result.stdout, "Usage: " in result.stderr) == (2, "", True)


# Tables


def test_tables_have_counts_contacts_list_metrics_and_findings(messages: Path) -> None:
    result = feedbackctl("replay", messages)
    assert (result.exit_code, result.stderr) == (0, "")
    printed = " ".join(result.stdout.split())
    for expected in (
        "4 messages from 3 files",
        "2 applied 1 ignored 1 quarantined",
        "Contacts 2: 1 may not receive email, 1 may",
        f"bounced 1 {RECIPIENT} Permanent/General 2026-03-01 BOUNCE",
        "active 1 x@example.org",
        "Suppression list 1 BOUNCE",
        "PermanentBounce 1",
        f"set-up notice 1 {messages}/notice.txt",
        f"not-json 1 {messages}/more.ndjson:2",
    ):
        assert expected in printed


def test_output_to_a_pipe_has_no_colors_no_progress_and_no_log_lines(messages: Path) -> None:
    result = feedbackctl("replay", messages)
    assert ("\x1b" in result.output, "{" in result.output) == (False, False)


def test_long_tables_are_shortened_unless_all_rows_are_requested(tmp_path: Path) -> None:
    delivered, bounced = ([f"{number}@{name}.example.com" for number in range(25)] for name in ("good", "bad"))
    file = write_ndjson(
        tmp_path,
        a_delivery(recipients=delivered),
        a_bounce(recipients=bounced, mail=a_mail(destination=bounced)),
        *["not JSON"] * 9,
    )
    short, long = (feedbackctl("replay", *flags, file).stdout for flags in ([], ["--all"]))
    assert [short.count(f"and {number} more") for number in (22, 8, 7)] == [2, 1, 1]
    assert ("--all" in short, "more" in long, "--all" in long) == (True, False, False)
    assert (short.count("@"), long.count("@")) == (3 + 3 + 17, 25 + 25 + 25)


def test_sandbox_leaves_entries_pending_with_the_error_code_of_ses(tmp_path: Path) -> None:
    result = feedbackctl("replay", "--sandbox", write_ndjson(tmp_path, a_bounce()))
    assert (result.exit_code, "pending" in result.stdout) == (0, True)
    assert "empty; SES refused 1 (BadRequestException), which are pending" in result.stdout


def test_contact_known_by_an_echo_only_is_shown_as_reported_by_ses(tmp_path: Path) -> None:
    """The list of a replay starts empty."""
    result = feedbackctl("replay", write_ndjson(tmp_path, a_bounce(sub_type="OnAccountSuppressionList")))
    assert "reported by SES" in result.stdout
    assert "Suppression list  empty" in result.stdout


def test_log_lines_go_to_standard_error_as_the_functions_write_them(messages: Path) -> None:
    result = feedbackctl("replay", "--json", "--logs", messages)
    assert json.loads(result.stdout)["contacts"]
    logged = [json.loads(line)["message"] for line in result.stderr.splitlines()]
    assert (logged[:2], set(logged[2:])) == (["record", "batch"], {"stream"})


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    findings = [Finding(f"{'folder/' * 30}{number}.json", "not-json") for number in range(3)]
    lines = render(ReplayResult(messages=3, quarantined=findings), width=width).splitlines()
    assert max(map(len, lines)) <= width


def test_ascii_terminal_gets_ascii_lines() -> None:
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_tables(Console(file=output, width=80), ReplayResult(messages=1), 1, 1.0, all_rows=False)
    output.flush()
    assert isinstance(output.buffer, io.BytesIO)
    assert b"---" in output.buffer.getvalue()


def test_lags_have_a_unit_from_milliseconds_to_days() -> None:
    lags = {"FeedbackLag": 3 * 86_400_000, "SuppressionLag": 12}
    assert [line.split()[-2:] for line in render(ReplayResult(metrics=lags)).splitlines() if "Lag " in line] == [
        ["3", "d"],
        ["12", "ms"],
    ]


def test_long_replay_shows_progress_on_a_terminal_until_it_ends(
    messages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "DELAY", 0.0)
    monkeypatch.setenv("FORCE_COLOR", "1")
    result = feedbackctl("replay", "--json", messages)
    assert "Replaying" in result.stderr
    assert json.loads(result.stdout)["contacts"]


# Errors


def test_unapplied_message_is_a_failure_with_its_source_and_reason(capsys: pytest.CaptureFixture[str]) -> None:
    unapplied = [Finding("file.json", "unreadable-contact")]
    assert not replay.report_failures(ReplayResult(messages=3, unapplied=unapplied))
    assert capsys.readouterr().err.splitlines() == [
        "Not applied: file.json: unreadable-contact",
        "Error: 1 of 3 messages could not be applied.",
    ]
    assert "1 NOT APPLIED" in render(ReplayResult(messages=3, unapplied=unapplied))


def test_list_that_differs_from_the_contacts_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert not replay.report_failures(ReplayResult(messages=1, settled=False))
    assert capsys.readouterr().err == "Error: the suppression list still differs from the contacts.\n"


def test_failed_replay_exits_with_1_and_prints_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feedbackctl.replay.runner.MAX_ROUNDS", 0)
    result = feedbackctl("replay", write_ndjson(tmp_path, an_sqs_event(a_bounce())))
    assert (result.exit_code, "pending" in result.stdout) == (1, True)


def test_missing_path_is_a_usage_error_that_names_it(tmp_path: Path) -> None:
    result = feedbackctl("replay", tmp_path / "missing.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "missing.json' does not exist" in result.stderr


def test_empty_folder_is_a_usage_error_that_names_it(tmp_path: Path) -> None:
    result = feedbackctl("replay", tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"the folder {tmp_path} has no messages" in " ".join(result.stderr.split())


def test_command_without_a_path_is_a_usage_error() -> None:
    assert feedbackctl("replay").exit_code == 2


def test_unreadable_file_is_an_error_that_names_it(messages: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    def deny(*_: object) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    result = feedbackctl("replay", messages)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: {messages}/bounce.json cannot be read: Permission denied\n"


def test_without_the_local_extra_the_error_tells_how_to_install_it(
    messages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "feedbackctl.replay.embedded_stack", raising=False)
    monkeypatch.delitem(sys.modules, "localaws.in_process.embedded_aws", raising=False)
    monkeypatch.setitem(sys.modules, "moto", None)
    result = feedbackctl("replay", messages)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "the optional extra `local`, and its package moto is not installed" in result.stderr
    assert "pip install '.[local]'" in result.stderr


def test_missing_module_of_our_own_is_not_reported_as_a_missing_extra() -> None:
    with pytest.raises(ModuleNotFoundError), local_extra("feedbackctl replay"):
        import_module("feedbackctl.does_not_exist")
