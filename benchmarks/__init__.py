"""Whole-process benchmarks of the `art` command; see benchmarks/README.md."""
