"""
The page of a table: its view as an address, what is asked of the table, what is answered.
"""
