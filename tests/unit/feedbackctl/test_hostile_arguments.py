"""Errors about arguments and file names contain no character that a terminal interprets."""

import pytest
from click.testing import CliRunner

from feedbackctl.__main__ import main

HOSTILE = "a\x1b[31mb\u202ec\x9bd\u2028e"

COMMANDS = (
    "{}",
    "--{}",
    "contact {}",
    "contact show --{}",
    "contact show {} --region us-east-1",
    "contact list --status {}",
    "contact list --provider {}",
    "contact list --since {}",
    "contact operations --limit {}",
    "contact reinstate --where --since {}",
    "contact suppress {} --reason test --yes",
    "contact erase {} --yes",
    "contact import {} --reason test",
    "list {}",
    "list diff --stack {}",
    "list reconcile --{}",
    "quarantine {}",
    "redrive --from {} --to https://sqs.us-east-1.amazonaws.com/123456789012/queue",
    "replay {}",
    "replay --at {}",
    "iam {}",
    "smoke --patience {}",
    "doctor --{}",
    "local up --port {}",
    "local up --also-on {}",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_error_about_a_hostile_argument_is_printable(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # Nothing listens there.
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    result = CliRunner().invoke(main, [word.replace("{}", HOSTILE) for word in command.split()])
    assert result.exit_code != 0
    assert [character for character in result.output if character != "\n" and not character.isprintable()] == []
