"""The engine of Spark ML: its estimators, its rows, the stages of its models, their files."""
