"""Let atheris look for payloads that `payloads` does not think of: it watches which code each one takes.

    PYTHONPATH=src .tools/fuzz/bin/python -m campaigns.fuzz.atheris_target --seconds 60

It begins with payloads of a seed, changes them as bytes and as JSON, keeps those that take a new way through the rooms
that judge, and hands every one to the referee. One that breaks a rule is written down as a finding, and ends the run.
`make fuzz` runs it where atheris has a wheel: on Linux, on an x86_64 processor. Elsewhere it wants a clang.
"""

import argparse
import json
import sys
from pathlib import Path
from random import Random

import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore] # in an environment of its own

with atheris.instrument_imports(
    include=[f"ses_feedback.{room}" for room in ("envelope", "feedback", "address", "timestamps", "policy", "pipeline")]
):
    import ses_feedback.processing.pipeline  # noqa: F401 (to be watched from its first import on)

from campaigns.fuzz.invariants import Referee
from campaigns.fuzz.mutations import mutate, write
from campaigns.fuzz.payloads import Payload, make
from campaigns.fuzz.shrink import save

CORPUS = Path(".local/fuzz/corpus")
_LONGEST = 20_000
_BEGIN_WITH = 2_000
_APART = 1_000_000_000
_CARRIERS = ("SQS", "SNS", "invoke", "text")
_referee: list[Referee] = []


class FoundError(Exception):
    """A payload breaks a rule. Its message says which, and where the payload is."""


def payload(data: bytes) -> Payload:
    """Return the payload of these bytes: the first says what brings it, the rest is its text."""
    carrier = _CARRIERS[data[0] % len(_CARRIERS)] if data else "text"
    text = data[1:].decode("utf-8", "surrogatepass" if data[:1] == b"\xff" else "replace")
    if carrier == "SQS":
        attributes = {"SentTimestamp": "1772452800000"}
        entry = {"messageId": "1", "body": text, "attributes": attributes, "eventSource": "aws:sqs"}
        return Payload("SQS", {"Records": [entry]}, entry)
    if carrier == "SNS":
        entry = {"EventSource": "aws:sns", "Sns": {"Message": text, "Timestamp": "2026-03-01T12:00:07.000Z"}}
        return Payload("SNS", {"Records": [entry]}, entry)
    try:
        return Payload("invoke", json.loads(text) if carrier == "invoke" else text)
    except (ValueError, RecursionError):
        return Payload("text", text)


def test_one(data: bytes) -> None:
    """Hand the payload of these bytes over.

    Raises:
        FoundError: it breaks a rule.

    """
    if not _referee:
        _referee.append(Referee())
    try:
        made = payload(data)
    except UnicodeDecodeError:
        return
    for violation in _referee[0].play([made]):
        path = save([made], violation, f"{violation.rule}-guided")
        raise FoundError(f"{violation.rule}: {violation.said}; {path}")


def change(data: bytes, longest: int, seed: int) -> bytes:
    """Return these bytes changed: as JSON where they are JSON, else as bytes."""
    chance = Random(seed)  # noqa: S311 (repeatable chance, not secrecy)
    try:
        document = json.loads(data[1:])
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict | list) or chance.random() < 0.3:
        changed: bytes = atheris.Mutate(data, longest)
        return changed
    mutate(chance, document)
    return (data[:1] + write(chance, document).encode("utf-8", "surrogatepass"))[:longest]


def begin(corpus: Path, seed: int) -> None:
    """Write what to begin with: the texts of payloads of this seed."""
    corpus.mkdir(parents=True, exist_ok=True)
    for number in range(seed * _APART, seed * _APART + _BEGIN_WITH):
        entry = make(number).entry
        body = entry.get("body") if isinstance(entry, dict) else None
        if isinstance(body, str):
            text = body.encode("utf-8", "surrogatepass")[:_LONGEST]
            (corpus / f"payload-{number}").write_bytes(bytes([number % len(_CARRIERS)]) + text)


def main() -> None:
    """Run for as long as the command line says; end with an error when something was found."""
    parser = argparse.ArgumentParser(prog="python -m campaigns.fuzz.atheris_target", description=main.__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for how long")
    parser.add_argument("--seed", type=int, default=1, help="what to begin with, and how to go on")
    arguments = parser.parse_args()
    corpus = CORPUS / str(arguments.seed)
    begin(corpus, arguments.seed)
    options = [
        f"-max_total_time={arguments.seconds}",
        f"-seed={arguments.seed}",
        f"-max_len={_LONGEST}",
        f"-artifact_prefix={CORPUS.parent}/",
        "-timeout=10",
        "-rss_limit_mb=1024",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], test_one, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
