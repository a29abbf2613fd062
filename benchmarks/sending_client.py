"""Cost of `ses_feedback.client` for a sending application: import time, and calls for 10,000 addresses.

    python -m benchmarks.sending_client         # exit code 1 if a limit is exceeded

The CPU time of the import is compared with that of `import boto3` alone, and the median of the ratios counts
(benchmarks.pairs). The calls are counted with no key, 1 % and 5 % of the keys left unprocessed.
"""

import argparse
import random
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from benchmarks.pairs import compare
from ses_feedback.client import Contacts, ordered_answers

MAX_IMPORT_RATIO = 1.5
MAX_CALLS = 110
ADDRESSES = 10_000
BOTO3 = "import boto3"
BOTH = "import boto3, ses_feedback.client"
TABLE = "Contacts"


class Throttled:
    """A DynamoDB client of an empty table that leaves a share of the keys unprocessed."""

    def __init__(self, share: float) -> None:
        """Leave `share` of the keys, by a repeatable chance."""
        self.calls = 0
        self._share = share
        self._random = random.Random(1)

    def batch_get_item(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 (botocore's parameters)
        """Return no item, and some of the keys."""
        self.calls += 1
        left = [key for key in request["RequestItems"][TABLE]["Keys"] if self._random.random() < self._share]
        return {"Responses": {TABLE: []}, "UnprocessedKeys": {TABLE: {"Keys": left}} if left else {}}


def measure(code: str) -> float:
    """Run code in a new interpreter, and return the seconds of CPU that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 (this interpreter)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def count_calls(share: float) -> tuple[int, float]:
    """Return the calls for `ADDRESSES` addresses, and the CPU microseconds of each address."""
    client = Throttled(share)
    addresses = [f"Recipient <{number}@Example.com>" for number in range(ADDRESSES)]
    began = time.process_time()
    for _ in Contacts(TABLE, client=client).may_send_many(addresses):
        pass
    return client.calls, (time.process_time() - began) / ADDRESSES * 1e6


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the results, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sending_client", description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=20, help="number of pairs of runs")
    pairs = parser.parse_args(arguments).pairs
    alone, both, ratio = compare(partial(measure, BOTO3), partial(measure, BOTH), pairs)
    print(f"{BOTO3}: {alone:.0f} ms; {BOTH}: {both:.0f} ms; ratio {ratio:.2f} (limit {MAX_IMPORT_RATIO})")
    ordered_answers._FIRST_PAUSE = 0.0  # noqa: SLF001 (calls are counted, pauses are not)
    calls = 0
    for share in (0.0, 0.01, 0.05):
        calls, microseconds = count_calls(share)
        print(
            f"{ADDRESSES:,} addresses, {share:.0%} of the keys left unprocessed: {calls} calls (limit {MAX_CALLS}),"
            f" {microseconds:.1f} µs of CPU per address"
        )
    return int(ratio > MAX_IMPORT_RATIO or calls > MAX_CALLS)


if __name__ == "__main__":
    raise SystemExit(main())
