"""What kind of noise a table has: from counts, never from rows.

On the driver, but for `buckets`, which tasks load, too.
"""
