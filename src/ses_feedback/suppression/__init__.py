"""Sync of contacts with the SES account suppression list, and publication of their changes."""
