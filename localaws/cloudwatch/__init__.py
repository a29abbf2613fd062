"""CloudWatch's rules: the state of an alarm, and metric math."""
