"""The picture of the dashboard: every widget, the values of the data, and a label that says how it was made."""

import re
import xml.etree.ElementTree as ET
from functools import cache

from tools import dashboard, dashboard_picture
from tools.dashboard_data import SET, STACK, STEPS, Day

TITLES = [widget["properties"]["title"] for widget in dashboard.body()["widgets"]]


def texts(picture: str) -> list[str]:
    """Return the texts of a picture."""
    return [element.text or "" for element in ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314 (our own)


@cache
def drawn() -> str:
    """Return a picture of a day with a constant number of emails and one bounce an hour."""
    day = Day()
    for step in range(STEPS):
        day.add(step, "AWS/SES", "Send", 25, configuration_set=SET)
        if step % 4 == 0:
            day.add(step, "SesFeedback", "PermanentBounce", 7, ConfigurationSet=SET)
        day.add(step, "SesFeedback", "AccountRestricted", 0, Stack=STACK)
        day.sweeps.append((step, {"put": 1, "deleted": 1, "still_pending": 3}))
    return dashboard_picture.draw(day)


def test_it_has_every_widget_and_says_how_it_was_drawn() -> None:
    assert set(TITLES) <= set(texts(drawn()))
    assert dashboard_picture.CAPTION in texts(drawn())


def test_the_committed_picture_is_of_the_current_widgets() -> None:
    """Otherwise run `python -m tools.dashboard_picture`."""
    committed = texts(dashboard_picture.PICTURE.read_text())
    assert set(TITLES) <= set(committed)
    assert dashboard_picture.CAPTION in committed
    alarms = [text for text in committed if text in dashboard.ALARMS]
    assert alarms == list(dashboard.ALARMS)


def test_a_graph_without_data_says_so_and_others_do_not() -> None:
    parts = dict(re.findall(r'font-weight="bold"[^>]*>([^<]*)</text>(.*?)</g>', drawn(), re.DOTALL))
    without = {title for title, part in parts.items() if dashboard_picture.NO_DATA in part}
    assert "Bounce rate of the account, by SES" in without
    assert "SES events of the set" not in without
    assert "List: calls, and pending changes" not in without


def test_a_rate_is_that_of_the_data() -> None:
    (widget,) = [
        each for each in dashboard.body()["widgets"] if each["properties"]["title"].startswith("Our bounce rate")
    ]
    day = Day()
    day.add(0, "AWS/SES", "Send", 100, configuration_set=SET)
    day.add(0, "SesFeedback", "SuppressionEcho", 20, ConfigurationSet=SET)
    day.add(0, "SesFeedback", "PermanentBounce", 8, ConfigurationSet=SET)
    (_, hour, _), (_, whole_day, _) = dashboard_picture._lines(widget, day)  # noqa: SLF001
    assert (hour[0], hour[1], whole_day) == (0.1, None, (0.1,))
