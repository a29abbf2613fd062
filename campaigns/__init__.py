"""Long test campaigns with a seed and a budget: simulation, wire faults, fuzzing, import jobs. See README.md."""
