"""Second ways to the same thing, for the suite `recovery`: what stands in where a tool of the suite `tools` fails."""

from __future__ import annotations

from typing import Any

from evaluation.tools.values import number, pick, slug

PLACES = ("in the depot", "on a ship", "on the road", "at the border", "at a parcel shop", "on a van")
CONDITIONS = ("clear", "overcast", "wet", "misty", "breezy", "icy")
FIRST_LINES = ("draft for review", "final version", "minutes of the call", "open questions", "list of prices", "notes")


def ask_carrier(world: dict[str, Any], order_id: str) -> dict[str, Any]:
    """Return where the carrier has an order's parcel, and in how many days it comes."""
    return {"place": pick(PLACES, "carrier", order_id), "days": number(1, 9, "carrier", order_id)}


def find_bus(world: dict[str, Any], destination: str, day: str) -> dict[str, Any]:
    """Return when the first coach of a day leaves, and its fare in euros."""
    return {"leaves": f"{number(6, 11, 'bus', destination, day)}:30", "fare": number(9, 95, "bus", destination, day)}


def search_directory(world: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the address and the floor of somebody of the company."""
    return {"email": f"{slug(name)}@company.com", "floor": number(1, 12, "directory", name)}


def read_backup(world: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the first line of last night's copy of a file, and its age in hours."""
    return {"first_line": pick(FIRST_LINES, "backup", path), "age_hours": number(5, 20, "backup", path)}


def get_closing_price(world: dict[str, Any], ticker: str) -> dict[str, Any]:
    """Return what a share cost in dollars when the market closed."""
    return {"closing_price": number(300, 90000, "closing", ticker) / 100}


def get_outlook(world: dict[str, Any], city: str, day: str) -> dict[str, Any]:
    """Return another service's view of a day: the sky, and the highest temperature (Celsius)."""
    return {"sky": pick(CONDITIONS, "outlook", city, day), "up_to": number(2, 35, "outlook", city, day)}
