"""The wire campaign: the real functions with the real botocore, against a local AWS that fails at every call.

The simulation runs the code in virtual time and replaces botocore. In this campaign, botocore signs, sends, times out,
retries and parses over real connections. These are throttled, reset, cut and left open, and functions are killed. The
state of AWS and the required results come from the simulation.
"""
