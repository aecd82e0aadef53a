"""What goes wrong with personal data."""

from __future__ import annotations


class PrivacyError(Exception):
    """Personal data was left, or could not be looked for. Names rows, fields and kinds, and never a value."""
