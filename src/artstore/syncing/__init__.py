"""Versions, runs and lineage from one store to another, one way, only what is missing."""
