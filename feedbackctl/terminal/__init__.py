"""Input from and output to the operator's terminal or pipe."""
