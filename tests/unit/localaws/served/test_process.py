"""The local AWS as a process, as far as it goes without one."""

import json
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from localaws.served import stack
from localaws.served.commands import local as command
from localaws.served.process import Local, LocalError, Running


def test_nothing_runs_at_first(tmp_path: Path) -> None:
    """And there is nothing to end."""
    here = Local(tmp_path)
    assert (here.running(), here.down()) == (None, False)
    with pytest.raises(LocalError, match="feedbackctl local up"):
        here.require()


@pytest.mark.parametrize("state", ["", "[]", '{"pid": 1}', '{"pid": 1, "port": 1}'])
def test_a_state_that_says_nothing_true_is_no_process(tmp_path: Path, state: str) -> None:
    """A process id alone proves nothing."""
    here = Local(tmp_path)
    here.home.mkdir()
    (here.home / "aws.json").write_text(state)
    assert here.running() is None


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    """With the command that installs it."""
    with pytest.raises(LocalError, match=r"make \.tools/local/installed"):
        Local(tmp_path).up()
    with pytest.raises(LocalError, match=r"make \.tools/sam/installed"):
        _build(tmp_path)


def _build(root: Path) -> None:
    (root / "src").mkdir()
    (root / "samconfig.toml").write_text('[local.global.parameters]\nparameter_overrides = "A=1"\n')
    installed(root, "")
    stack.build(Local(root))


def installed(root: Path, script: str, version: str = "3.12.4") -> Local:
    """Return the local AWS of a checkout with an emulator installed, whose interpreter is a shell script."""
    environment = root / ".tools" / "local"
    (environment / "bin").mkdir(parents=True)
    (environment / "installed").touch()
    (environment / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {version}\n")
    python = environment / "bin" / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return Local(root)


def test_the_functions_are_built_for_the_emulators_python(tmp_path: Path) -> None:
    """Whichever it is."""
    assert installed(tmp_path, "", version="3.11.7").python_version == "3.11"


def test_an_installation_that_was_broken_off_is_told_of(tmp_path: Path) -> None:
    """An interpreter alone is not enough."""
    here = installed(tmp_path, "")
    (tmp_path / ".tools" / "local" / "installed").unlink()
    with pytest.raises(LocalError, match=r"make \.tools/local/installed"):
        here.up()


def test_another_system_is_told_what_works_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions are built for Linux."""
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(LocalError, match="make replay"):
        installed(tmp_path, "").up()


def test_a_process_that_ends_at_once_is_told_of(tmp_path: Path) -> None:
    """With the end of its log."""
    with pytest.raises(LocalError, match=r"No such luck\."):
        installed(tmp_path, "echo 'No such luck.'; exit 1").up()
    assert Local(tmp_path).running() is None


def test_a_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    """When it was asked for by number."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(LocalError, match="is taken"):
            installed(tmp_path, "").up(taken.getsockname()[1])


def test_the_environment_leads_nowhere_else() -> None:
    """No profile and no instance role of whoever runs this."""
    environment = Running(1, 14566).environment
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:14566"
    assert environment["AWS_CONFIG_FILE"] == environment["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"


def test_the_command_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Instead of showing where an error was raised."""
    monkeypatch.setattr("localaws.served.commands.Local", lambda: Local(tmp_path))
    outcomes = {
        name: CliRunner().invoke(command, [name]) for name in ("up", "down", "status", "reset", "env", "deploy")
    }
    assert {name: one.exit_code for name, one in outcomes.items() if one.exit_code == 0} == {"down": 0}
    assert "Start it with: feedbackctl local up" in outcomes["status"].output


def test_state_is_json_a_person_can_read(tmp_path: Path) -> None:
    """It names the process and where it listens."""
    (tmp_path / "aws.json").write_text(json.dumps({"pid": 1, "port": 2}))
    assert Local(tmp_path, home=tmp_path).running() is None
