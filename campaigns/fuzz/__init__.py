"""The functions as they are deployed, on an AWS in memory, handed everything that anybody might hand them.

`make fuzz` runs the campaign; `python -m campaigns.fuzz --help` tells what else there is. `payloads` makes what is handed
over, from a seed; `house` is the functions and all that they can be seen to do; `campaign` holds what must be so
against it. `guided` lets atheris look for more.
"""
