"""Comparison of the SES suppression list with the contacts, and repair of the differences."""
