"""Replay of message files through the functions on an AWS in this process."""
