"""Builds what is deployed: the code, the packages it imports and no more of them than it uses, compiled.

`sam build` runs it through src/Makefile, on any Python from 3.11 on with nothing but pip. It is not deployed itself.
"""
