"""Lambda entry points, and the composition of all objects."""
