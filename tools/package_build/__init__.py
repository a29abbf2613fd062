"""Build the Lambda package: the code and its dependencies, trimmed and compiled.

`sam build` runs this through src/Makefile, on any Python from 3.11 on with nothing but pip. It is not deployed itself.
Decision 13 (docs/explain/decisions) has the reasons.
"""
