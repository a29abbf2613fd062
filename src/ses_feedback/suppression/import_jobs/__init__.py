"""Bulk changes of the SES suppression list through import jobs."""
