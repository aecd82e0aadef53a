"""Weather: forecasts, climate, stations, alerts and tides."""

from __future__ import annotations

from typing import Any

from evaluation.tools.values import code, number, pick

CONDITIONS = ("sunny", "cloudy", "rainy", "foggy", "windy", "snowy", "stormy")


def get_forecast(world: dict[str, Any], city: str, day: str) -> dict[str, Any]:
    """Return condition and highest temperature (Celsius) of one day."""
    return {"condition": pick(CONDITIONS, "forecast", city, day), "high": number(3, 36, "forecast", city, day)}


def get_climate(world: dict[str, Any], city: str, month: str) -> dict[str, Any]:
    """Return the usual high (Celsius) and the usual number of rainy days of a month."""
    return {"usual_high": number(2, 38, "climate", city, month), "rainy_days": number(1, 24, "climate", city, month)}


def find_station(world: dict[str, Any], city: str) -> dict[str, Any]:
    """Return the id of the closest weather station and how far it is, in kilometres."""
    return {"station_id": code("WS", city), "distance_km": number(1, 40, "station", city)}


def read_station(world: dict[str, Any], station_id: str) -> dict[str, Any]:
    """Return what a station measures now: wind (km/h) and pressure (hPa)."""
    return {"wind": number(2, 95, "wind", station_id), "pressure": number(970, 1045, "pressure", station_id)}


def set_storm_alert(world: dict[str, Any], city: str, wind: int) -> dict[str, Any]:
    """Record an alert for winds above `wind` km/h."""
    alert = {"alert_id": code("AL", city, wind), "city": city, "wind": wind}
    world.setdefault("storm_alerts", []).append(alert)
    return {"alert_id": alert["alert_id"], "status": "active"}


def get_tides(world: dict[str, Any], harbor: str, day: str) -> dict[str, Any]:
    """Return the times of high and low water."""
    return {
        "high_water": f"{number(10, 15, 'high', harbor, day)}:{number(10, 59, 'high', harbor, day)}",
        "low_water": f"{number(16, 22, 'low', harbor, day)}:{number(10, 59, 'low', harbor, day)}",
    }
