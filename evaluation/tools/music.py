"""Music: playing, queueing, song details, artist radio and concerts."""

from __future__ import annotations

from typing import Any

from evaluation.tools.values import code, number, pick

SINGERS = ("Velvet Harbor", "Nora Quill", "The Paper Kites Club", "Juno Ash", "Silver Pines", "Otis Fable", "Lumen Row")
VENUES = ("Harbor Hall", "Old Brewery", "City Arena", "Riverside Stage", "Glass Theatre", "Union Club")


def play_song(world: dict[str, Any], song: str, room: str) -> dict[str, Any]:
    """Record that a song plays in a room and return its length in seconds."""
    world.setdefault("playing", []).append({"song": song, "room": room})
    return {"status": "playing", "seconds": number(95, 420, "length", song)}


def queue_song(world: dict[str, Any], song: str, room: str) -> dict[str, Any]:
    """Record that a song waits in a room's queue and return its place there."""
    world.setdefault("queued_songs", []).append({"song": song, "room": room})
    return {"status": "queued", "position": number(2, 9, "queue", song, room)}


def song_details(world: dict[str, Any], song: str) -> dict[str, Any]:
    """Return who sings a song and the year of its release."""
    return {"artist": pick(SINGERS, "artist", song), "year": number(1961, 2024, "year", song)}


def artist_radio(world: dict[str, Any], artist: str) -> dict[str, Any]:
    """Record that a radio of an artist started and return its station."""
    station = code("RD", artist)
    world.setdefault("radios", []).append({"artist": artist, "station": station})
    return {"station": station, "songs": number(20, 90, "radio", artist)}


def next_concert(world: dict[str, Any], artist: str) -> dict[str, Any]:
    """Return venue and ticket price (euros) of an artist's next concert."""
    return {"venue": pick(VENUES, "venue", artist), "ticket_price": number(18, 140, "ticket", artist)}
