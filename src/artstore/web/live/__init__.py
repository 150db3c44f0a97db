"""
The runs of a store as they are now: what it has, and what this machine knows before it.
"""
