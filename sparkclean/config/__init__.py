"""The configuration: sections, loading, errors, fingerprints, the template. Driver only."""
