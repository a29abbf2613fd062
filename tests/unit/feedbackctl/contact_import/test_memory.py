"""The memory of an import does not grow with the file."""

import tracemalloc
from pathlib import Path

from benchmarks.contact_import import run, write_file

MEGABYTE = 1 << 20


def peak(path: Path, lines: int) -> int:
    write_file(path, lines)
    tracemalloc.start()
    try:
        run(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_file_of_four_times_as_many_lines_takes_the_same_memory(tmp_path: Path) -> None:
    path = tmp_path / "suppression_bounces.csv"
    peak(path, 500)  # fills caches
    few, many = peak(path, 2_500), peak(path, 10_000)
    assert many < few + MEGABYTE
    assert many < 16 * MEGABYTE


def test_units_of_a_line_are_those_of_its_contact_and_its_history(tmp_path: Path) -> None:
    path = tmp_path / "suppression_bounces.csv"
    write_file(path, 5_000)
    _, budget, clock = run(path)
    assert budget.total == 2 * 5_000
    assert budget.total / clock.time < 2_000
