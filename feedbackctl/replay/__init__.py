"""Replay of message files through the functions, on AWS emulated in this process."""
