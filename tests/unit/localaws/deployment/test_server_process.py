"""Starting, finding and stopping the server process, without an emulator."""

import json
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from feedbackctl.__main__ import main
from localaws.deployment import sam_cli
from localaws.deployment.running_server import LocalAwsError, RunningServer
from localaws.deployment.server_process import LocalAws


def test_no_server_runs_in_a_new_checkout(tmp_path: Path) -> None:
    local_aws = LocalAws(tmp_path)
    assert (local_aws.find_server(), local_aws.stop()) == (None, False)
    with pytest.raises(LocalAwsError, match="feedbackctl local up"):
        local_aws.require_server()


@pytest.mark.parametrize(
    "state", ["", "[]", '{"pid": 1}', '{"pid": 1, "port": 1}', '{"pid": 1, "port": 1, "access_key": "k"}']
)
def test_state_file_without_a_matching_process_is_ignored(tmp_path: Path, state: str) -> None:
    """A process id alone is no proof that the server runs."""
    local_aws = LocalAws(tmp_path)
    local_aws.state_directory.mkdir()
    (local_aws.state_directory / "aws.json").write_text(state)
    assert local_aws.find_server() is None


def test_error_without_a_checkout_names_the_directory(tmp_path: Path) -> None:
    """The package is installed from a wheel."""
    with pytest.raises(LocalAwsError, match=f"needs a checkout of ses-feedback, and {tmp_path} is none"):
        LocalAws(tmp_path).start()


def test_error_about_a_missing_tool_names_the_command_that_installs_it(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").touch()
    with pytest.raises(LocalAwsError, match=r"make \.tools/local/installed"):
        LocalAws(tmp_path).start()
    with pytest.raises(LocalAwsError, match=r"make \.tools/sam/installed"):
        _build(tmp_path)


def _build(root: Path) -> None:
    (root / "src").mkdir()
    (root / "samconfig.toml").write_text('[local.global.parameters]\nparameter_overrides = "A=1"\n')
    install_emulator(root, "")
    sam_cli.build(LocalAws(root))


def install_emulator(root: Path, script: str, version: str = "3.12.4") -> LocalAws:
    """Return the local AWS of a checkout with an installed emulator, whose interpreter is a shell script."""
    (root / "template.yaml").touch()
    environment = root / ".tools" / "local"
    (environment / "bin").mkdir(parents=True)
    (environment / "installed").touch()
    (environment / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {version}\n")
    python = environment / "bin" / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return LocalAws(root)


def test_python_version_is_the_emulators(tmp_path: Path) -> None:
    assert install_emulator(tmp_path, "", version="3.11.7").python_version == "3.11"


def test_incomplete_installation_is_an_error(tmp_path: Path) -> None:
    """The interpreter exists, but the installation did not finish."""
    local_aws = install_emulator(tmp_path, "")
    (tmp_path / ".tools" / "local" / "installed").unlink()
    with pytest.raises(LocalAwsError, match=r"make \.tools/local/installed"):
        local_aws.start()


def test_error_on_another_system_names_the_command_that_works_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(LocalAwsError, match="make replay"):
        install_emulator(tmp_path, "").start()


def test_error_about_a_server_that_ended_at_once_has_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(LocalAwsError, match=r"No such luck\."):
        install_emulator(tmp_path, "echo 'No such luck.'; exit 1").start()
    assert LocalAws(tmp_path).find_server() is None


STATE_SERVER = """
exec python3 -c '
import http.server, json, os, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        authorized = self.headers["Authorization"] == "Bearer " + os.environ["LOCAL_AWS_ACCESS_KEY"]
        self.send_response(200 if authorized else 403)
        self.end_headers()
        self.wfile.write(json.dumps({"pid": os.getpid(), "message": "denied"}).encode())

http.server.HTTPServer(("127.0.0.1", int(sys.argv[3])), Handler).serve_forever()
' "$@"
"""
"""An emulator that responds to the control API's `state` only."""


def test_each_start_creates_another_access_key_that_its_owner_alone_can_read(tmp_path: Path) -> None:
    local_aws = install_emulator(tmp_path, STATE_SERVER)
    keys = set()
    for _ in range(2):
        (tmp_path / ".local").mkdir(exist_ok=True)
        (tmp_path / ".local" / "aws.json").touch(0o666)
        server = local_aws.start()
        keys.add(server.access_key)
        assert local_aws.find_server() == server
        assert server.access_key not in repr(server)
        assert server.environment["AWS_ACCESS_KEY_ID"] == server.access_key
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / ".local").iterdir()}
        assert modes == {"aws.json": 0o600, "aws.log": 0o600}
        assert local_aws.stop()
    assert len(keys) == 2
    assert min(map(len, keys)) == 40


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("0.0.0.0", "all interfaces"),  # noqa: S104 (it is refused)
        ("::", "all interfaces"),
        ("0:0:0:0:0:0:0:0", "all interfaces"),
        ("::ffff:0.0.0.0", "all interfaces"),
        ("::%1", "all interfaces"),
        ("8.8.8.8", "not a private address"),
        ("2600::1", "not a private address"),
        ("224.0.0.1", "not a private address"),
        ("255.255.255.255", "not a private address"),
        ("0.0.0.1", "not a private address"),
        ("0", "not an IP address"),
        ("0x0", "not an IP address"),
        ("", "not an IP address"),
        ("*", "not an IP address"),
        ("localhost", "not an IP address"),
    ],
)
def test_address_that_other_machines_could_reach_is_refused(tmp_path: Path, address: str, message: str) -> None:
    with pytest.raises(LocalAwsError, match=message):
        install_emulator(tmp_path, "").start(also_on=address)


def test_address_that_other_machines_could_reach_is_refused_while_the_server_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise `up` seems to accept it."""
    local_aws = install_emulator(tmp_path, "")
    monkeypatch.setattr(local_aws, "find_server", lambda: RunningServer(1, 14566, "key", iam=True, also_on=None))
    with pytest.raises(LocalAwsError, match="all interfaces"):
        local_aws.start(also_on="0.0.0.0")  # noqa: S104 (refused)
    assert local_aws.start().port == 14566


def test_address_of_a_bridge_is_accepted(tmp_path: Path) -> None:
    with pytest.raises(LocalAwsError, match="did not start"):
        install_emulator(tmp_path, "exit 1").start(also_on="172.17.0.1")


def test_requested_port_that_is_taken_is_an_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(LocalAwsError, match="is taken"):
            install_emulator(tmp_path, "").start(taken.getsockname()[1])


def test_environment_excludes_every_other_aws_account() -> None:
    environment = RunningServer(1, 14566, "key").environment
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:14566"
    assert environment["AWS_CONFIG_FILE"] == environment["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"


def test_commands_show_the_message_of_an_error_instead_of_a_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("localaws.commands.LocalAws", lambda: LocalAws(tmp_path))
    results = {
        name: CliRunner().invoke(main, ["local", name]) for name in ("up", "down", "status", "reset", "env", "deploy")
    }
    assert {name: result.exit_code for name, result in results.items() if result.exit_code == 0} == {"down": 0}
    assert "Start it with: feedbackctl local up" in results["status"].output


def test_state_of_a_process_that_does_not_respond_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "aws.json").write_text(json.dumps({"pid": 1, "port": 2, "access_key": "key"}))
    assert LocalAws(tmp_path, state_directory=tmp_path).find_server() is None
