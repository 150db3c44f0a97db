"""
What pages tell of artifacts and versions, and saved views, which are artifacts too.
"""
