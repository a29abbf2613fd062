"""The fuzzing campaign: the deployed functions, on an in-memory AWS, receive payloads of every shape.

`make fuzz` runs it; `python -m campaigns.fuzz --help` lists the options. `payloads` generates payloads from seeds,
`harness` runs the functions and records everything visible they do, and `invariants` checks it. `bounds`, `storms`
and `growth` check what grows with hostile input. `atheris_target` lets atheris search for more payloads.
"""
