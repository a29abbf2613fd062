"""Lambda events in, SES events out: envelopes are opened and documents parsed."""
