"""The SES account-level suppression list and its import jobs, in memory; moto and ministack have neither."""
