"""
Pages of runs: lists, one run, several beside each other.
"""
