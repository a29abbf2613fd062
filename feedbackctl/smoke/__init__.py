"""The checks of `feedbackctl smoke`."""
