"""A deterministic simulator of the whole system: the real code, over an AWS in memory that a case may break at will.

`case.py` says what a case is and makes them, `stage.py` runs the actors of one, `faults.py` and `breakage.py` break
their calls, `world.py` puts it together, `oracle.py` knows what must come of it, `watch.py` looks whether it did, and
`shrink.py` makes a failing one readable. `mutants/` are the design bugs it must find, `exhaustive.py` tries everything
in a small scope, `outages.py` lasts for days, and `against.py` holds the table in memory against others.
"""
