"""
Cells of tables as JSON and as text, and where their files are found.
"""
