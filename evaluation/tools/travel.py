"""Travel: flights, trains, bookings and hotels."""

from __future__ import annotations

from typing import Any

from evaluation.tools.values import code, number, pick

HOTELS = (
    "Hotel Aurora",
    "The Anchor Inn",
    "Park Lodge",
    "Hotel Linden",
    "The Old Mill",
    "Station House",
    "Villa Marina",
)


def find_flight(world: dict[str, Any], destination: str, day: str) -> dict[str, Any]:
    """Return the cheapest flight of a day and its price in euros."""
    return {"flight_id": code("FL", destination, day), "price": number(59, 890, "flight", destination, day)}


def find_train(world: dict[str, Any], destination: str, day: str) -> dict[str, Any]:
    """Return the best train of a day and its fare in euros."""
    return {"train_id": code("TR", destination, day), "fare": number(12, 240, "train", destination, day)}


def book_flight(world: dict[str, Any], flight_id: str, passenger: str) -> dict[str, Any]:
    """Record a seat on a flight and return its reference."""
    booking = {"booking_ref": code("BK", flight_id, passenger), "flight_id": flight_id, "passenger": passenger}
    world.setdefault("flight_bookings", []).append(booking)
    seat = f"{number(1, 38, 'row', flight_id, passenger)}{pick('ABCDEF', 'seat', flight_id, passenger)}"
    return {"booking_ref": booking["booking_ref"], "seat": seat}


def find_hotel(world: dict[str, Any], city: str, nights: int) -> dict[str, Any]:
    """Return a free hotel and its price in euros for all nights."""
    return {"hotel": pick(HOTELS, "hotel", city, nights), "total": nights * number(45, 210, "hotel", city)}
