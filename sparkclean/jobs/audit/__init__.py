"""The audit: find the label issues of a table and publish them."""
