"""An airline's members and their bookings, as the suite `dialogue` serves them.

The world: `members` by number, `bookings` by reference, `flights` by number, `vouchers`, `handed_over` topics. They
keep no policy: they do what is asked of them where it can be done at all. Money is whole euros.
"""

from __future__ import annotations

from typing import Any

BAG_FEE = 40
"""What a bag costs."""
FREE_BAGS = {"basic": 0, "silver": 1, "gold": 2}
"""By the member's level."""


def find_member(world: dict[str, Any], member_id: str) -> dict[str, Any]:
    """Return who has a member number, and the references of their bookings."""
    member = world.get("members", {}).get(member_id)
    return {"member_id": member_id, **member} if member else {"error": f"no member has the number {member_id}"}


def get_booking(world: dict[str, Any], booking_ref: str) -> dict[str, Any]:
    """Return all that is known of a booking, and how its flight goes."""
    booking = _booking(world, booking_ref)
    if booking is None:
        return _no_booking(booking_ref)
    return {
        "booking_ref": booking_ref,
        **booking,
        "flight": {"flight_id": booking["flight_id"], **_flight(world, booking)},
    }


def search_flights(world: dict[str, Any], destination: str, day: str) -> dict[str, Any]:
    """Return the flights to a city on a day that have free seats, the cheapest first."""
    fits = [
        {"flight_id": flight_id, "price": flight["price"], "departs": flight["departs"]}
        for flight_id, flight in world.get("flights", {}).items()
        if (flight["destination"], flight["day"]) == (destination, day) and flight["free_seats"] > 0
    ]
    return {"flights": sorted(fits, key=lambda flight: flight["price"])}


def move_booking(world: dict[str, Any], booking_ref: str, flight_id: str) -> dict[str, Any]:
    """Put a booking on another flight; the difference of the prices is paid, or paid back."""
    booking, new = _booking(world, booking_ref), world.get("flights", {}).get(flight_id)
    if booking is None:
        return _no_booking(booking_ref)
    if new is None or new["free_seats"] < 1:
        return {"error": f"flight {flight_id} has no free seat"}
    difference = new["price"] - booking["price"]
    new["free_seats"] -= 1
    booking |= {"flight_id": flight_id, "price": new["price"]}
    return {"booking_ref": booking_ref, "flight_id": flight_id, "to_pay": difference}


def cancel_booking(world: dict[str, Any], booking_ref: str) -> dict[str, Any]:
    """Call a booking off and pay its price back."""
    booking = _booking(world, booking_ref)
    if booking is None:
        return _no_booking(booking_ref)
    if booking["status"] == "cancelled":
        return {"error": f"booking {booking_ref} is cancelled already"}
    booking["status"] = "cancelled"
    return {"booking_ref": booking_ref, "refund": booking["price"]}


def add_bags(world: dict[str, Any], booking_ref: str, bags: int) -> dict[str, Any]:
    """Add checked bags to a booking; those that the member's level has free cost nothing."""
    booking = _booking(world, booking_ref)
    if booking is None:
        return _no_booking(booking_ref)
    free = FREE_BAGS.get(world["members"][booking["member_id"]]["level"], 0)
    before, after = booking["bags"], booking["bags"] + bags
    booking["bags"] = after
    return {
        "booking_ref": booking_ref,
        "bags": after,
        "to_pay": BAG_FEE * (max(after - free, 0) - max(before - free, 0)),
    }


def pick_seat(world: dict[str, Any], booking_ref: str, seat: str) -> dict[str, Any]:
    """Give a booking a certain seat."""
    booking = _booking(world, booking_ref)
    if booking is None:
        return _no_booking(booking_ref)
    if seat in _flight(world, booking).get("taken", []):
        return {"error": f"seat {seat} is taken"}
    booking["seat"] = seat
    return {"booking_ref": booking_ref, "seat": seat}


def give_voucher(world: dict[str, Any], member_id: str, amount: int) -> dict[str, Any]:
    """Give a member a voucher."""
    if member_id not in world.get("members", {}):
        return {"error": f"no member has the number {member_id}"}
    world.setdefault("vouchers", []).append({"member_id": member_id, "amount": amount})
    return {"member_id": member_id, "amount": amount}


def pass_on(world: dict[str, Any], topic: str) -> dict[str, Any]:
    """Let a colleague call the member back."""
    world.setdefault("handed_over", []).append(topic)
    return {"topic": topic, "call_back_within_hours": 12}


def _booking(world: dict[str, Any], booking_ref: str) -> dict[str, Any] | None:
    booking: dict[str, Any] | None = world.get("bookings", {}).get(booking_ref)
    return booking


def _flight(world: dict[str, Any], booking: dict[str, Any]) -> dict[str, Any]:
    flight: dict[str, Any] = world.get("flights", {}).get(booking["flight_id"], {})
    return flight


def _no_booking(booking_ref: str) -> dict[str, Any]:
    return {"error": f"no booking has the reference {booking_ref}"}
