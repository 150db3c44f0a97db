"""Formats of others, in which tables with images come and go."""
