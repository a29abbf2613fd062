"""Import of suppressed addresses from a file into contacts."""
