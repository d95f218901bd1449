"""Parquet tables: files and, for outputs, manifests of them. The log of Delta in small."""
