"""Keep contacts and the SES suppression list true to what SES reports about sent mail."""
