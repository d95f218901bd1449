"""The smallest job that there can be, and proof that the house holds it."""
