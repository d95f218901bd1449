"""How a function runs over rows: streams over files and frames, tasks, the session.

Knows no labels.
"""
