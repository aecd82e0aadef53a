"""Suites that other projects publish, read into scenarios."""
