"""Tables: columns of any type in Parquet fragments, joined, queried and compared."""
