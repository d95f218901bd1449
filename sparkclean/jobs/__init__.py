"""A room for each job, named as its command."""
