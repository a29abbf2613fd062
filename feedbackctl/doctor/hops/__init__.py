"""The hops of the path of feedback: one module each, with the checks of that hop."""
