"""The peak memory and the rate of a replay of one large file.

    python -m benchmarks.replay_file [--megabytes 1024] [--message-bytes 6000] [--contacts 2000]

The file is the output of `aws sqs receive-message` as one JSON object of that size, in a temporary folder. A replay
reads it twice: for the time of the newest event, and to deliver the messages. The emulated table is in memory, so the
peak also grows with the number of contacts. `--read-only` reads the messages once and delivers none.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import messages
from benchmarks.peak_memory import measure_command
from feedbackctl.replay.message_files import read_messages

MEGABYTE = 1_000_000


def main() -> None:
    """Write the file, replay it in a process of its own, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1_024)
    parser.add_argument("--message-bytes", type=int, default=6_000)
    parser.add_argument("--contacts", type=int, default=2_000)
    parser.add_argument("--read-only", action="store_true")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "messages.json"
        number = write_file(file, options.megabytes * MEGABYTE, options.message_bytes, options.contacts)
        read = [
            sys.executable,
            "-c",
            f"from benchmarks.replay_file import count_messages; count_messages({str(file)!r})",
        ]
        command = read if options.read_only else [sys.executable, "-m", "feedbackctl", "replay", "--json", str(file)]
        seconds, peak = measure_command(command)
        size = file.stat().st_size / MEGABYTE
    print(
        f"{size:,.0f} MB, {number:,} messages, {options.contacts:,} contacts: {seconds:,.0f} s, "
        f"{number / seconds:,.0f} messages/s, {size / seconds:,.1f} MB/s, peak {peak:,.0f} MB"
    )


def write_file(file: Path, size: int, message_bytes: int, contacts: int) -> int:
    """Write messages of the size to the file until it is as long as `size`, and return their number."""
    number = 0
    with file.open("w") as stream:
        stream.write('{"Messages": [\n')
        for text in _bodies(message_bytes, contacts):
            message = {
                "MessageId": f"{number:032x}",
                "ReceiptHandle": "receipt",
                "Body": text,
                "Attributes": {"SentTimestamp": "1796083205000"},
            }
            stream.write((",\n" if number else "") + json.dumps(message))
            number += 1
            if stream.tell() >= size:
                break
        stream.write("\n]}\n")
    return number


def count_messages(file: str) -> int:
    """Return the number of messages in the file."""
    return sum(1 for _ in read_messages([Path(file)]))


def _bodies(message_bytes: int, contacts: int) -> Iterator[str]:
    number = 0
    while True:
        document = messages.delivery(number % contacts)
        document["mail"]["headers"] = []
        padding = max(0, message_bytes - len(json.dumps(document)))
        document["mail"]["headers"] = [{"name": "References", "value": "<a@example.com> " * (padding // 16)}]
        yield json.dumps(document)
        number += 1


if __name__ == "__main__":
    main()
