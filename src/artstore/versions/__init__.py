"""One version of an artifact: what it tells, gives and lets change."""
