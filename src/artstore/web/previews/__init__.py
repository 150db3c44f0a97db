"""
What a page shows of a file: each module here makes one kind of preview.

A new one is one file with a `PREVIEW` in it, and one test; `registry` finds it.
"""
