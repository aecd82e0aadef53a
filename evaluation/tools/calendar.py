"""Calendar: events, free time and rooms."""

from __future__ import annotations

from typing import Any

from evaluation.tools.values import code, number, pick

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")


def add_event(world: dict[str, Any], title: str, day: str) -> dict[str, Any]:
    """Put a new event into the calendar."""
    event = {"event_id": code("EV", title, day), "title": title, "day": day}
    world.setdefault("events", []).append(event)
    return {"event_id": event["event_id"], "status": "added"}


def move_event(world: dict[str, Any], event_id: str, day: str) -> dict[str, Any]:
    """Put an existing event on another day."""
    world.setdefault("moved_events", {})[event_id] = day
    return {"event_id": event_id, "new_day": day}


def find_event(world: dict[str, Any], title: str) -> dict[str, Any]:
    """Return id and day of the event called `title`: one added before, or the calendar's own."""
    for event in world.get("events", []):
        if event["title"] == title:
            return {"event_id": event["event_id"], "day": event["day"]}
    return {"event_id": code("EV", title), "day": pick(DAYS, "event", title)}


def cancel_event(world: dict[str, Any], event_id: str) -> dict[str, Any]:
    """Take an event out of the calendar."""
    world.setdefault("cancelled_events", []).append(event_id)
    return {"event_id": event_id, "status": "cancelled"}


def find_free_time(world: dict[str, Any], person: str, day: str) -> dict[str, Any]:
    """Return when a person is next free on a day, and for how many minutes."""
    start = f"{number(8, 17, 'free', person, day)}:{pick(('00', '15', '30', '45'), 'free', person, day)}"
    return {"free_from": start, "minutes": 15 * number(2, 8, "free minutes", person, day)}


def book_room(world: dict[str, Any], room: str, day: str) -> dict[str, Any]:
    """Reserve a meeting room for a day."""
    world.setdefault("rooms", []).append({"room": room, "day": day})
    return {"booking_id": code("RM", room, day), "status": "booked"}
