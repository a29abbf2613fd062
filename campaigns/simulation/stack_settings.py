"""The settings of the functions in the stack of a case."""

from campaigns.simulation.case import Case
from campaigns.simulation.messages import STREAMS
from ses_feedback.settings import Settings


def stack_settings(case: Case) -> Settings:
    """Return the settings of the functions in the stack of `case`."""
    return Settings(
        "Contacts",
        "quarantine",
        soft_bounce_limit=case.soft_bounces,
        soft_bounce_window_days=case.window_days,
        suppress_unsubscribed=case.list_unsubscribed,
        list_suspended=case.list_suspended,
        suspension_days=case.suspension_days,
        deliveries_by="Topic" if case.deliveries_published else "None",
        streams=STREAMS,
    )
