"""The SES account suppression list and its import jobs, which moto and ministack both lack."""
