"""The real functions through real botocore, against an AWS on this machine that breaks at every call.

The simulator plays the code in virtual rate_limiter and replaces botocore; here botocore signs, sends, times out, repeats and
parses for itself, over real connections that are throttled, reset, cut short and left hanging, and the functions are
killed for good. What AWS holds, and what must come of it in the end, are the simulator's.
"""
