"""Writing runs: what a program logs, captures and leaves to be repaired."""
