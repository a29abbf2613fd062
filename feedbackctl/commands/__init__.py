"""Commands of `feedbackctl`, one module per command."""
