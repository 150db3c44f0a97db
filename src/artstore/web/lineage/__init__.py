"""
The graph of what came from what, as a page.
"""
