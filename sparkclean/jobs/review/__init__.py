"""The review: who looks at what, what was decided, and how many labels are wrong."""
