"""The training: a final model after an audit."""
