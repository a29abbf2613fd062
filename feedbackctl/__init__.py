"""The operator's command line, and the AWS it runs in one process for replay and tests."""
