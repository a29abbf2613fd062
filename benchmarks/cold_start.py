"""The cost of a cold start: from the start of the process to the answer to the first hard bounce, over TLS.

    python -m benchmarks.cold_start                           # all three, with instructions counted by valgrind
    python -m benchmarks.cold_start --runs 3                  # the median of three
    python -m benchmarks.cold_start ses-feedback --quick      # milliseconds and memory only

Three functions run in Lambda's runtime client (awslambdaric, from .tools/local). Each runs in a separate process with
the same Python and the same stub of AWS, which answers at once:

- ses-feedback: the Lambda package;
- baseline: the pattern of the AWS samples (`baseline.py`) with the boto3 of a Lambda runtime, complete and compiled;
- bare: a function that only parses JSON, creates a botocore DynamoDB client and sends one UpdateItem.

The instructions are those of user space in all threads. They repeat within 2 %; milliseconds do not. Each function
trusts the certificates that it would trust in Lambda, and the certificate of the stub.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import botocore

from benchmarks import messages
from benchmarks.account import TABLE
from benchmarks.lambda_runtime import Result, RuntimeApi, TlsStub, environment
from benchmarks.subjects import BASELINE, SES_FEEDBACK

ROOT = Path(__file__).resolve().parent.parent
BARE = "bare"
SUBJECTS = (SES_FEEDBACK, BASELINE, BARE)
TARGETS = {BASELINE: 0.55, BARE: 0.90}
"""The largest accepted ratio of the instructions of ses-feedback to those of the other function."""
_SDK = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3")
_COUNT = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
_INSTRUCTIONS = re.compile(r"I\s+refs:\s+([\d,]+)")
_BARE = """
import json, os
from botocore.session import get_session

client = get_session().create_client("dynamodb")

def handle(event, context):
    for record in event["Records"]:
        message = json.loads(record["body"])
        for recipient in message["bounce"]["bouncedRecipients"]:
            client.update_item(
                TableName=os.environ["TABLE_NAME"],
                Key={"address": {"S": recipient["emailAddress"]}, "record": {"S": "contact"}},
                UpdateExpression="SET bounced_at = :time",
                ExpressionAttributeValues={":time": {"S": message["bounce"]["timestamp"]}},
            )
    return {}
"""
_BASELINE = f"from baseline import Baseline\n\nhandle = Baseline({TABLE!r})\n"


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one cold start."""

    instructions: float
    milliseconds: float
    mebibytes: float


@dataclass(frozen=True, slots=True)
class Function:
    """A deployed function: the directory of its code, and its handler."""

    directory: Path
    handler: str


def deploy(subject: str, directory: Path, python: str) -> Function:
    """Write the code of a subject to `directory`."""
    if subject == SES_FEEDBACK:
        print_version = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        version = subprocess.check_output(print_version, text=True)  # noqa: S603 (this repository's Python)
        command = [
            sys.executable,
            "-m",
            "tools.package_build",
            str(directory),
            "--checkout",
            str(ROOT),
            "--python",
            version.strip(),
        ]
        subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603
        return Function(directory, "ses_feedback.handlers.feedback.handle")
    installed = Path(botocore.__path__[0]).parent
    for name in _SDK:
        source = installed / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, directory / name)
    shutil.copy(ROOT / "benchmarks" / "baseline.py", directory)
    (directory / "function.py").write_text(_BASELINE if subject == BASELINE else _BARE)
    subprocess.run([python, "-m", "compileall", "-q", str(directory)], check=True)  # noqa: S603
    return Function(directory, "function.handle")


@contextmanager
def run_stub() -> Iterator[TlsStub]:
    """Run the stub behind TLS."""
    with TemporaryDirectory() as directory, TlsStub(Path(directory)) as stub:
        yield stub


def start(function: Function, stub: TlsStub, python: str, *, counting: bool) -> Result:
    """Start a function, give it a hard bounce, and wait until it requests the next event."""
    event = messages.sqs_event([messages.bounce(1)], lane="Bounce")
    command = [python, "-m", "awslambdaric", function.handler]
    with RuntimeApi(json.dumps(event).encode()) as api:
        return api.run([*_COUNT, *command] if counting else command, environment(function.directory, stub, api))


def measure(function: Function, stub: TlsStub, python: str, runs: int, *, quick: bool) -> Cost:
    """Return the medians of several cold starts."""
    results = [start(function, stub, python, counting=False) for _ in range(max(runs, 3))]
    counts = [0.0] if quick else [instructions(start(function, stub, python, counting=True)) for _ in range(runs)]
    milliseconds = median(result.milliseconds for result in results)
    return Cost(median(counts), milliseconds, median(result.mebibytes for result in results))


def instructions(result: Result) -> float:
    """Return the instructions that valgrind counted."""
    found = _INSTRUCTIONS.search(result.log)
    if found is None:
        raise SystemExit(f"valgrind printed no instructions:\n{result.log[-2000:]}")
    return float(found[1].replace(",", ""))


def report(costs: dict[str, Cost]) -> str:
    """Return a table of the costs, and the ratios with their limits."""
    lines = ["| | million instructions | ms | MiB resident |", "|---|---|---|---|"]
    for subject, cost in costs.items():
        lines.append(f"| {subject} | {cost.instructions / 1e6:,.0f} | {cost.milliseconds:.0f} | {cost.mebibytes:.1f} |")
    for other, target in TARGETS.items():
        if {SES_FEEDBACK, other} <= costs.keys() and costs[other].instructions:
            ratio = costs[SES_FEEDBACK].instructions / costs[other].instructions
            lines.append(f"\n{SES_FEEDBACK} / {other}: {ratio:.2f} (limit {target:.2f})")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the subjects and print the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold_start", description=__doc__.splitlines()[0])
    parser.add_argument("subjects", nargs="*", default=SUBJECTS, metavar="|".join(SUBJECTS))
    parser.add_argument("--runs", type=int, default=1, help="number of cold starts with counted instructions")
    parser.add_argument("--quick", action="store_true", help="do not count instructions")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--python", default=str(ROOT / ".tools" / "local" / "bin" / "python"), help="a Python with awslambdaric"
    )
    chosen = parser.parse_args(arguments)
    costs = {}
    with run_stub() as stub:
        for subject in chosen.subjects:
            with TemporaryDirectory() as directory:
                function = deploy(subject, Path(directory), chosen.python)
                for bundle in (*function.directory.glob("certificates/*"), function.directory / "botocore/cacert.pem"):
                    stub.trust(bundle)
                costs[subject] = measure(function, stub, chosen.python, chosen.runs, quick=chosen.quick)
    print(json.dumps({name: asdict(cost) for name, cost in costs.items()}) if chosen.json else report(costs))


if __name__ == "__main__":
    main()
