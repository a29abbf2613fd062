"""A run over many payloads: cases of ten, generated from seeds and checked in several processes."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from multiprocessing import get_context

from campaigns.fuzz.invariants import InvariantChecker, Violation
from campaigns.fuzz.payloads import generate_payload
from campaigns.fuzz.statistics import Statistics
from tests.support.sums import Sums

CASE_SIZE = 10
SEED_STRIDE = 1_000_000_000
"""Distance between the first payloads of two seeds."""
_PORTION = 2_000
"""Payloads that a process checks at a time."""
_FAULTS_EVERY = 8
"""One of so many cases is also checked with AWS faults."""
_MEMORY_EVERY = 400
"""The memory of one of so many payloads is measured, because that is slow."""
_MAX_EXAMPLES = 3
"""Violations of a rule that are kept: a bug causes thousands."""


@dataclass
class Run(Sums):
    """The result of a run or of a part of it."""

    statistics: Statistics = field(default_factory=Statistics)
    violations: list[tuple[range, Violation]] = field(default_factory=list)
    """Examples of violations, each with the seeds of its case."""
    broken: int = 0
    """Number of violations."""
    leaks: int = 0


def run(seed: int, payloads: int, processes: int = 1) -> Run:
    """Check so many payloads of `seed`."""
    first = seed * SEED_STRIDE
    portions = split(range(first, first + payloads), _PORTION)
    total = Run()
    if processes == 1:
        for portion in portions:
            total += check_payloads(portion)
        return total
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for part in pool.map(check_payloads, portions):
            total += part
    return total


def check_payloads(seeds: range) -> Run:
    """Check the payloads of these seeds."""
    checker = _checker()
    checker.statistics = Statistics()
    result = Run(checker.statistics)
    by_rule: Counter[str] = Counter()
    for case in split(seeds, CASE_SIZE):
        for violation in check_case(checker, case):
            result.broken += 1
            result.leaks += violation.rule == "P7"
            by_rule[violation.rule] += 1
            if by_rule[violation.rule] <= _MAX_EXAMPLES:
                result.violations.append((case, violation))
        if case.start % _MEMORY_EVERY == 0:
            memory = checker.harness.measure_peak(generate_payload(case.start).event)
            checker.statistics.most_memory = max(checker.statistics.most_memory, memory)
    checker.statistics.add_memory_peak()
    return result


def check_case(checker: InvariantChecker, case: range) -> Sequence[Violation]:
    """Return the violations of one case."""
    payloads = [generate_payload(seed) for seed in case]
    if case.start // CASE_SIZE % _FAULTS_EVERY == 0:
        return list(chain(checker.check_case(payloads, case.start), checker.check_with_faults(payloads)))
    return checker.check_case(payloads, case.start)


def split(seeds: range, size: int) -> list[range]:
    """Return parts of `seeds`, each of `size`; the last one may be shorter."""
    return [seeds[at : at + size] for at in range(0, len(seeds), size)]


@cache
def _checker() -> InvariantChecker:
    """Return the checker of this process. Memory that it does not free from case to case shows in the statistics."""
    return InvariantChecker()
