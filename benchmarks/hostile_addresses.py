"""How the time to refuse a hostile recipient grows with its length.

Prints, for each text made for backtracking, the time for the longest text over that for half of it, the median of
pairs measured in one run: about 2 is linear, 4 would be quadratic.
"""

import contextlib
import statistics
import time
from collections.abc import Callable

from ses_feedback.address import MAX_RAW_LENGTH, AddressError, parse_address

PAIRS = 15
CALLS = 200

HOSTILE: dict[str, Callable[[int], str]] = {
    "quotes": lambda length: '"' * (length - 3) + "<>>",
    "escapes": lambda length: "\\" * (length - 4) + '"<>>',
    "escaped quotes": lambda length: '"' + '\\"' * (length // 2 - 1) + ">",
    "escaped quotes before an address": lambda length: '"' + '\\"' * (length // 2 - 9) + "<a@example.com>",
    "quoted pairs": lambda length: '"\\a"' * (length // 4) + ">",
    "opening brackets": lambda length: "<" * (length - 1) + ">",
    "quoted brackets": lambda length: '"<"' * (length // 3 - 1) + ">>",
    "comments": lambda length: "(a)" * (length // 3 - 1) + "!",
    "open comments": lambda length: "(a" * (length // 2 - 1) + ")",
    "at signs": lambda length: "@" * length,
}


def seconds(raw: str) -> float:
    """Return how long `CALLS` readings of `raw` take."""
    started = time.process_time()
    for _ in range(CALLS):
        with contextlib.suppress(AddressError):
            parse_address(raw)
    return time.process_time() - started


def main() -> None:
    """Print a line for each kind of text."""
    for name, build in HOSTILE.items():
        half, whole = build(MAX_RAW_LENGTH // 2), build(MAX_RAW_LENGTH)
        ratio = statistics.median(seconds(whole) / seconds(half) for _ in range(PAIRS))
        print(f"{name:34} {ratio:5.2f}")


if __name__ == "__main__":
    main()
