"""The batch pipeline: Lambda events in, stored facts and a report out."""
