"""A deterministic simulator of the whole system: the real code, over an AWS in memory that a case may break at will.

`case.py` says what a case is and makes them, `stage.py` runs the actors of one, `world.py` puts it together,
`oracle.py` knows what must come of it, `shrink.py` makes a failing one readable, `mutants.py` are the design bugs it
must find, and `exhaustive.py` tries everything in a small scope.
"""
