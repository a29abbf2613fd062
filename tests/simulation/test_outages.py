"""Services that are down for days: everything converges afterwards, by itself."""

from dataclasses import replace

import pytest

from tests.simulation.case import Case, Outage, make
from tests.simulation.play import play

_HOUR = 3_600
_DAY = 24 * _HOUR


def _cases(*outages: Outage) -> list[Case]:
    return [replace(make(seed), outages=outages) for seed in range(40)]


@pytest.mark.parametrize(
    "outage",
    [
        Outage("DynamoDB", 0, _DAY),
        Outage("DynamoDB", 1, _DAY),
        Outage("EventBridge", 0, _DAY),
        Outage("SQS", 0, _DAY),
        Outage("SES", 0, 5 * _HOUR),
    ],
    ids=lambda outage: f"{outage.service} from {outage.begins} s",
)
def test_an_outage_is_only_a_delay(outage: Outage) -> None:
    """Whatever is down for long, no promise is broken, and nobody has to do anything."""
    worlds = [play(case) for case in _cases(outage)]
    assert [violation for world in worlds for violation in world.watch.violations] == []


def test_ses_is_down_for_a_week() -> None:
    """The list follows when SES is back, although the stream's records expired after an hour."""
    worlds = [play(case) for case in _cases(Outage("SES", 0, 7 * _DAY))[:4]]
    assert [violation for world in worlds for violation in world.watch.violations] == []
    assert max(world.stage.clock for world in worlds) / 1_000_000 > 7 * _DAY
