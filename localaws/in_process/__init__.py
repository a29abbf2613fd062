"""AWS in this process (moto), for replay and tests."""
