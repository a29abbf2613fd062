"""AWS in this process (moto), for `feedbackctl replay` and for tests."""
