"""References: bytes that lie elsewhere under a URL, looked at when added, checked when read."""
