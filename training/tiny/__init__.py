"""The base model that ships with Ratchet, and how it is made."""

from pathlib import Path

SHIPPED = Path(__file__).parent / "model"
"""The shipped model's folder."""
