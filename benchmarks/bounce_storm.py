"""A storm of bounces through the deployed lanes, on the AWS on this machine: how it drains, and that nothing is lost.

    python -m benchmarks.bounce_storm --bounces 100000 [--samples samples.json]

The template is deployed to an emulator of its own (docs/operate/local.md), the bounces are published on the stack's
BounceTopic, every one of another address, and everything from there on is what is deployed. The emulator hands over ten
messages at a time and takes its own time for each hop, so its rate is not AWS's: what counts is that the queue drains
evenly to nothing and that every contact is there.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import messages
from localaws.deployment import sam_cli
from localaws.deployment.deployed_stack import DeployedStack, create_client
from localaws.deployment.server_process import LocalAws
from ses_feedback.aws.batches import batched

PUBLISHED_AT_ONCE = 10
PUBLISHERS = 2
SILENT_SECONDS = 20
"""How long the queue must be empty before the storm is over."""


class LostError(Exception):
    """Not every bounce became a contact."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How things stood, so many seconds after the beginning."""

    seconds: float
    published: int
    waiting: int


class Storm:
    """One run."""

    def __init__(self, stack: DeployedStack, bounces: int) -> None:
        """Send so many through `stack`."""
        self._stack = stack
        self._bounces = bounces
        self._published = 0
        self._resources = stack.resources()

    def run(self, budget: float) -> Iterator[Sample]:
        """Publish everything, and yield how it goes until the lane is empty or so many seconds are over."""
        began = time.monotonic()
        last = began
        with ThreadPoolExecutor(PUBLISHERS) as pool:
            parts = batched(range(self._bounces), self._bounces // PUBLISHERS + 1)
            publishing = [pool.submit(self._publish, part) for part in parts]
            while time.monotonic() - last < SILENT_SECONDS and time.monotonic() - began < budget:
                waiting = self.waiting("BounceQueue")
                if waiting or not all(one.done() for one in publishing):
                    last = time.monotonic()
                yield Sample(time.monotonic() - began, self._published, waiting)
                time.sleep(2)
            for one in publishing:
                one.result()

    def _publish(self, numbers: Sequence[int]) -> None:
        sns = create_client(self._stack.server, "sns")
        for part in batched(numbers, PUBLISHED_AT_ONCE):
            entries = [{"Id": str(number), "Message": json.dumps(messages.bounce(number))} for number in part]
            answer = sns.publish_batch(TopicArn=self._resources["BounceTopic"], PublishBatchRequestEntries=entries)
            self._published += len(answer["Successful"])

    def waiting(self, queue: str) -> int:
        """Return how many messages are in a queue, those being handled included."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = self._resources[queue]
        attributes = self._stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def check(self) -> None:
        """Compare what there is with what was published.

        Raises:
            LostError: something is missing.

        """
        contacts = self._stack.contacts()
        bounced = sum(item["status"]["S"] == "bounced" for item in contacts.values())
        aside = {name: self.waiting(name) for name in ("DeadLetterQueue", "QuarantineQueue", "UndeliveredQueue")}
        print(f"{self._published:,} published, {len(contacts):,} contacts, {bounced:,} of them bounced; aside: {aside}")
        if not self._published == len(contacts) == bounced == self._bounces or any(aside.values()):
            raise LostError("the storm lost something, or had not drained in its time")


def deployed(home: Path, parameters: Sequence[str]) -> tuple[LocalAws, DeployedStack]:
    """Deploy the template to an emulator of its own."""
    local_aws = LocalAws(state_directory=home)
    server = local_aws.start()
    return local_aws, sam_cli.deploy(local_aws, server, parameters=parameters, log=print)


def main() -> None:
    """Run the storm the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bounce_storm", description=__doc__)
    parser.add_argument("--bounces", type=int, default=100_000)
    parser.add_argument("--budget", type=float, default=3600, help="seconds")
    parser.add_argument("--samples", type=Path, help="write the curve to this file, for benchmarks.plot")
    parser.add_argument("parameters", nargs="*", default=["Volume=medium"], help="of the template")
    arguments = parser.parse_args()
    with TemporaryDirectory() as home:
        local_aws, stack = deployed(Path(home), arguments.parameters)
        try:
            storm = Storm(stack, arguments.bounces)
            samples: list[Sample] = []
            for sample in storm.run(arguments.budget):
                samples.append(sample)
                print(
                    f"{sample.seconds:6.0f} s  {sample.published:>8,} published  {sample.waiting:>8,} waiting",
                    flush=True,
                )
            storm.check()
        finally:
            local_aws.stop()
        _keep(samples, arguments)


def _keep(samples: Sequence[Sample], arguments: Any) -> None:  # noqa: ANN401 (argparse's namespace)
    drained = next((one for one in samples if one.published == arguments.bounces and not one.waiting), samples[-1])
    print(f"drained in {drained.seconds:.0f} s: {arguments.bounces / drained.seconds:.0f} bounces a second")
    if arguments.samples:
        curve = [[round(one.seconds, 1), one.published, one.waiting] for one in samples]
        arguments.samples.write_text(json.dumps(curve))


if __name__ == "__main__":
    main()
