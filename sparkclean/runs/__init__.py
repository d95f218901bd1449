"""What every job shares: one runner that pins, retries, verifies, publishes and records."""
