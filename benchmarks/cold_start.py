"""What a cold start costs: the runtime loop of Lambda, from nothing to the answer to its first hard bounce, over TLS.

    python benchmarks/cold_start.py                 # all three, instructions counted by valgrind
    python benchmarks/cold_start.py --runs 3        # the median of three
    python benchmarks/cold_start.py ours --quick    # milliseconds and memory only

Three functions run in Lambda's own runtime client (awslambdaric, from .tools/local), each in a process of its own, with
the same Python and the same AWS, which answers at once:

- ours: the package as `sam build` makes it;
- baseline: the pattern of AWS's samples (`baseline.py`), with the boto3 that a Lambda runtime has, whole and compiled;
- bare: a function that does nothing but parse the JSON, make a botocore DynamoDB client and send one UpdateItem.

Instructions are those of user space, all threads, and repeat within 2 %; milliseconds do not. Each trusts
the certificates it would trust in Lambda, and the one that this AWS has.
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

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from benchmarks import messages  # noqa: E402 (only now can it be found)
from benchmarks.lambda_runtime import Finished, RuntimeApi, Tls, environment  # noqa: E402

SUBJECTS = ("ours", "baseline", "bare")
TARGETS = {"baseline": 0.70, "bare": 0.90}
"""What ours may cost at most, as a part of the others."""
_SDK = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3")
_COUNT = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
_COUNTED = re.compile(r"I\s+refs:\s+([\d,]+)")
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
_BASELINE = "from baseline import Baseline\n\nhandle = Baseline()\n"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one cold start cost."""

    instructions: float
    milliseconds: float
    mebibytes: float


@dataclass(frozen=True, slots=True)
class Function:
    """Code as deployed."""

    directory: Path
    handler: str


def deployed(subject: str, directory: Path, python: str) -> Function:
    """Put the subject's code where Lambda would."""
    if subject == "ours":
        which = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        version = subprocess.check_output(which, text=True)  # noqa: S603 (our own)
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
    (directory / "function.py").write_text(_BASELINE if subject == "baseline" else _BARE)
    subprocess.run([python, "-m", "compileall", "-q", str(directory)], check=True)  # noqa: S603
    return Function(directory, "function.handle")


@contextmanager
def world() -> Iterator[Tls]:
    """Run an AWS behind TLS."""
    with TemporaryDirectory() as directory, Tls(Path(directory)) as tls:
        yield tls


def start(function: Function, tls: Tls, python: str, *, counting: bool) -> Finished:
    """Start a function from nothing, hand it a hard bounce, and wait until it asks for more."""
    event = messages.sqs_event([messages.bounce(1)], lane="Bounce")
    command = [python, "-m", "awslambdaric", function.handler]
    with RuntimeApi(json.dumps(event).encode()) as api:
        return api.run([*_COUNT, *command] if counting else command, environment(function.directory, tls, api))


def measure(function: Function, tls: Tls, python: str, runs: int, *, quick: bool) -> Cost:
    """Return the medians of some cold starts."""
    plain = [start(function, tls, python, counting=False) for _ in range(max(runs, 3))]
    counts = [0.0] if quick else [counted(start(function, tls, python, counting=True)) for _ in range(runs)]
    return Cost(median(counts), median(one.milliseconds for one in plain), median(one.mebibytes for one in plain))


def counted(finished: Finished) -> float:
    """Return the instructions that valgrind counted."""
    found = _COUNTED.search(finished.log)
    if found is None:
        raise SystemExit(f"valgrind counted nothing:\n{finished.log[-2000:]}")
    return float(found[1].replace(",", ""))


def report(costs: dict[str, Cost]) -> str:
    """Return a table of what was measured."""
    lines = ["| | million instructions | ms | MiB resident |", "|---|---|---|---|"]
    for subject, cost in costs.items():
        lines.append(f"| {subject} | {cost.instructions / 1e6:,.0f} | {cost.milliseconds:.0f} | {cost.mebibytes:.1f} |")
    for other, target in TARGETS.items():
        if {"ours", other} <= costs.keys() and costs[other].instructions:
            ratio = costs["ours"].instructions / costs[other].instructions
            lines.append(f"\nours / {other}: {ratio:.2f} (at most {target:.2f})")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python benchmarks/cold_start.py", description=__doc__.splitlines()[0])
    parser.add_argument("subjects", nargs="*", default=SUBJECTS, metavar="|".join(SUBJECTS))
    parser.add_argument("--runs", type=int, default=1, help="cold starts each whose instructions are counted")
    parser.add_argument("--quick", action="store_true", help="count no instructions")
    parser.add_argument("--json", action="store_true", help="print figures instead of a table")
    parser.add_argument("--python", default=str(ROOT / ".tools" / "local" / "bin" / "python"), help="with awslambdaric")
    chosen = parser.parse_args(arguments)
    costs = {}
    with world() as tls:
        for subject in chosen.subjects:
            with TemporaryDirectory() as directory:
                function = deployed(subject, Path(directory), chosen.python)
                for bundle in (*function.directory.glob("certificates/*"), function.directory / "botocore/cacert.pem"):
                    tls.trust(bundle)
                costs[subject] = measure(function, tls, chosen.python, chosen.runs, quick=chosen.quick)
    print(json.dumps({name: asdict(cost) for name, cost in costs.items()}) if chosen.json else report(costs))


if __name__ == "__main__":
    main()
