"""Music: playing, queueing, albums, playlists and concerts."""

from __future__ import annotations

from typing import Any

from evaluation.tools.values import code, number, pick

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def play_song(world: dict[str, Any], song: str) -> dict[str, Any]:
    """Play a song at once."""
    world["playing"] = song
    return {"status": "playing", "minutes": number(2, 7, "song", song)}


def queue_song(world: dict[str, Any], song: str) -> dict[str, Any]:
    """Put a song behind those that wait."""
    queue = world.setdefault("queue", [])
    queue.append(song)
    return {"status": "queued", "position": len(queue) + number(0, 8, "queue", song)}


def find_album(world: dict[str, Any], artist: str) -> dict[str, Any]:
    """Return the id and the year of an artist's newest album."""
    return {"album_id": code("AB", artist), "year": number(1968, 2024, "album", artist)}


def play_album(world: dict[str, Any], album_id: str) -> dict[str, Any]:
    """Play an album from its first track."""
    world["playing"] = album_id
    return {"status": "playing", "tracks": number(6, 22, "tracks", album_id)}


def create_playlist(world: dict[str, Any], name: str, genre: str) -> dict[str, Any]:
    """Make a playlist filled with one genre."""
    world.setdefault("playlists", []).append({"name": name, "genre": genre})
    return {"playlist_id": code("PL", name, genre), "songs": number(12, 60, "playlist", name, genre)}


def find_concert(world: dict[str, Any], artist: str) -> dict[str, Any]:
    """Return weekday and ticket price (whole dollars) of an artist's next concert."""
    return {"weekday": pick(WEEKDAYS, "concert", artist), "ticket": number(15, 180, "concert", artist)}
