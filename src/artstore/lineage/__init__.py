"""Lineage: what a version was made from, what was made from it, and what is out of date."""
