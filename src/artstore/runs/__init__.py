"""Reading runs: the journal's format, metric history as Arrow, segments as Parquet."""
