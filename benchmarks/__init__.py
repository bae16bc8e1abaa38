"""Benchmarks: run by hand, each prints a table and the command that made it."""
