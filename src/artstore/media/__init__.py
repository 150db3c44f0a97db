"""Media: values that the cell of a table or an entry of an artifact can hold, with their files."""
