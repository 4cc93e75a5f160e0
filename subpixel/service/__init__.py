"""`subpixel serve`: a page and an API in front of a durable queue. (extra: serve)"""
