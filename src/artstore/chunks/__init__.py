"""Chunks: where a stream of bytes is cut, and how one piece is stored."""
