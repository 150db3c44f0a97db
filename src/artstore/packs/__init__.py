"""Packs: many chunks in one stored value, where each lies, and reading them in few requests."""
