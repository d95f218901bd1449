"""Kinds of noise, and whether rankings stand: on numbers. Executors load numpy alone."""
