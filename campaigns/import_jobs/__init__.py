"""Simulation of import jobs for a backlog of suppression-list entries."""
