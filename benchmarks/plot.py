"""Draw what benchmarks.cost and benchmarks.bounce_storm found. Needs matplotlib, which has a virtual environment of its own.

    python -m benchmarks.plot cost figures.json docs/evidence/cost.svg
    python -m benchmarks.plot storm samples.json docs/evidence/storm.svg

The same figures make the same file: no dates, no random names.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl  # type: ignore[import-not-found]
from matplotlib import pyplot as plt

Column = Mapping[str, float]


def draw_cost(axes: Any, figures: Sequence[tuple[str, Column]]) -> None:  # noqa: ANN401 (matplotlib has no types here)
    """Draw what a million mails cost, by service: a column for each of who and how many."""
    labels = [label for label, _ in figures]
    bottoms = [0.0] * len(figures)
    services = sorted({name for _, column in figures for name, dollars in column.items() if dollars > 0})
    for service, colour in zip(services, mpl.colormaps["tab20"].colors, strict=False):
        heights = [column.get(service, 0) for _, column in figures]
        axes.bar(labels, heights, bottom=bottoms, label=service, color=colour)
        bottoms = [bottom + height for bottom, height in zip(bottoms, heights, strict=True)]
    for place, total in enumerate(bottoms):
        axes.text(place, total, f"{total:.2f}", ha="center", va="bottom", fontsize="small")
    axes.tick_params(axis="x", labelsize="x-small")
    axes.set_ylabel("USD a million mails")
    axes.set_title("What the mail costs, without what stands (us-east-1)")
    axes.figure.legend(fontsize="small", reverse=True, loc="outside right upper")


def draw_storm(axes: Any, samples: Sequence[Sequence[float]]) -> None:  # noqa: ANN401
    """Draw how a storm drained: each sample is the seconds, and how many were published and how many waited."""
    seconds, published, waiting = zip(*samples, strict=True)
    drained = [came - left for came, left in zip(published, waiting, strict=True)]
    for name, values in {"published": published, "drained": drained, "in the queue": waiting}.items():
        axes.plot(seconds, values, label=name)
    axes.set_xlabel("seconds")
    axes.set_ylabel("bounces")
    axes.set_title("A storm of distinct bounces, on the AWS on this machine")
    axes.legend()


DRAWINGS: Mapping[str, Callable[[Any, Any], None]] = {"cost": draw_cost, "storm": draw_storm}
INCHES = {"cost": (12, 4.6), "storm": (8, 4.2)}


def main() -> None:
    """Draw what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plot", description=__doc__)
    parser.add_argument("drawing", choices=DRAWINGS)
    parser.add_argument("figures", type=Path)
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    mpl.rcParams["svg.hashsalt"] = "ses-feedback"
    mpl.rcParams["svg.fonttype"] = "none"
    figure, axes = plt.subplots(figsize=INCHES[arguments.drawing], layout="constrained")
    DRAWINGS[arguments.drawing](axes, json.loads(arguments.figures.read_text()))
    figure.savefig(arguments.picture, metadata={"Date": None})


if __name__ == "__main__":
    main()
