"""
Bytes of files on their way to a browser: as they are, and as thumbnails.
"""
