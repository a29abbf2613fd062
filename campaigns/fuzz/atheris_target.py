"""Lets atheris search for payloads that `payloads` does not generate. It observes which code each payload executes.

    PYTHONPATH=src .tools/fuzz/bin/python -m campaigns.fuzz.atheris_target --seconds 60

The search begins with payloads of a seed, mutates them as bytes and as JSON, and keeps those that execute new code in
the modules that read and judge. The first payload that breaks a rule is saved as a finding and ends the run. `make
fuzz` runs it on Linux on x86_64, where atheris has a wheel. Elsewhere it must be compiled with clang.
"""

import argparse
import json
import sys
from functools import cache
from pathlib import Path
from random import Random

import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore] # in an environment of its own

with atheris.instrument_imports(include=["ses_feedback"]):
    import ses_feedback.processing.pipeline  # noqa: F401 (instrumented at its first import)

from campaigns.fuzz.campaign import SEED_STRIDE
from campaigns.fuzz.findings import save
from campaigns.fuzz.invariants import InvariantChecker
from campaigns.fuzz.mutations import mutate, write
from campaigns.fuzz.payloads import Payload, generate_payload

CORPUS = Path(".local/fuzz/corpus")
_MAX_LENGTH = 20_000
_FIRST_PAYLOADS = 2_000
_CARRIERS = ("SQS", "SNS", "invoke", "text")


class RuleBrokenError(Exception):
    """A payload breaks a rule. The message names the rule and the file of the finding."""


def payload_of(data: bytes) -> Payload:
    """Return the payload of these bytes: the first selects the carrier, the rest is the text."""
    carrier = _CARRIERS[data[0] % len(_CARRIERS)] if data else "text"
    text = data[1:].decode("utf-8", "surrogatepass" if data[:1] == b"\xff" else "replace")
    if carrier == "SQS":
        attributes = {"SentTimestamp": "1772452800000"}
        record = {"messageId": "1", "body": text, "attributes": attributes, "eventSource": "aws:sqs"}
        return Payload("SQS", {"Records": [record]}, record)
    if carrier == "SNS":
        record = {"EventSource": "aws:sns", "Sns": {"Message": text, "Timestamp": "2026-03-01T12:00:07.000Z"}}
        return Payload("SNS", {"Records": [record]}, record)
    try:
        return Payload("invoke", json.loads(text) if carrier == "invoke" else text)
    except (ValueError, RecursionError):
        return Payload("text", text)


def check_input(data: bytes) -> None:
    """Check the payload of these bytes.

    Raises:
        RuleBrokenError: the payload breaks a rule.

    """
    try:
        payload = payload_of(data)
    except UnicodeDecodeError:
        return
    for violation in _checker().check_case([payload]):
        path = save([payload], violation, f"{violation.rule}-atheris")
        raise RuleBrokenError(f"{violation.rule}: {violation.description}; {path}")


def mutate_input(data: bytes, max_length: int, seed: int) -> bytes:
    """Return these bytes mutated: as JSON if they are JSON, and sometimes as bytes."""
    rng = Random(seed)  # noqa: S311 (repeatable, not secret)
    try:
        document = json.loads(data[1:])
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict | list) or rng.random() < 0.3:
        mutated: bytes = atheris.Mutate(data, max_length)
        return mutated
    mutate(rng, document)
    return (data[:1] + write(rng, document).encode("utf-8", "surrogatepass"))[:max_length]


def write_corpus(folder: Path, seed: int) -> None:
    """Write the texts with which the search begins: those of payloads of this seed."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(seed * SEED_STRIDE, seed * SEED_STRIDE + _FIRST_PAYLOADS):
        record = generate_payload(number).record
        body = record.get("body") if isinstance(record, dict) else None
        if isinstance(body, str):
            text = body.encode("utf-8", "surrogatepass")[:_MAX_LENGTH]
            (folder / f"payload-{number}").write_bytes(bytes([number % len(_CARRIERS)]) + text)


@cache
def _checker() -> InvariantChecker:
    return InvariantChecker()


def main() -> None:
    """Search for payloads that break a rule; end with an error if one is found."""
    parser = argparse.ArgumentParser(prog="python -m campaigns.fuzz.atheris_target", description=main.__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="duration of the search")
    parser.add_argument("--seed", type=int, default=1, help="payloads to begin with, and the course of the search")
    arguments = parser.parse_args()
    corpus = CORPUS / str(arguments.seed)
    write_corpus(corpus, arguments.seed)
    options = [
        f"-max_total_time={arguments.seconds}",
        f"-seed={arguments.seed}",
        f"-max_len={_MAX_LENGTH}",
        f"-artifact_prefix={CORPUS.parent}/",
        "-timeout=10",
        "-rss_limit_mb=1024",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], check_input, custom_mutator=mutate_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
