"""Losses and a classifier that bear wrong labels: numbers in memory, no Spark."""
