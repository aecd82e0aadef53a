"""Requests are English that a person might write, with every argument in its place."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from evaluation.generate.actions import action_of
from evaluation.generate.phrasing import BY_NAME, FRAMES, ask, fill, fitting, speak
from evaluation.generate.saying import says_all
from tests.evaluation.generate.making import TEXT, WHOLE, tool


@pytest.mark.parametrize(
    ("name", "description", "said"),
    [
        ("f", "Retrieves the current weather for a specified city and state.", "get the current weather"),
        ("f", "This function calculates the area of a square given its side.", "calculate the area of a square"),
        ("f", "Use this tool to book a table at a restaurant", "book a table at a restaurant"),
        ("f", "Fetches all orders, optionally filtered by date", "get all orders"),
        ("f", "Searches for restaurants based on cuisine", "find restaurants"),
        ("f", "Get a list of the service providers (all regions).", "get the service providers"),
        ("f", "Registers a specified flight for the given passengers", "register a flight"),
        ("f", "Retrieves Air Quality Index (AQI) for specified location", "get Air Quality Index"),
        ("get_current_weather", "", "get the current weather"),
        ("createUser", "A service for users", "create a user"),
        ("listAllRooms", "Räume des Hotels", "list all rooms"),
        ("user.delete", "", "delete the user"),
        ("weather", "", "get the weather"),
        ("search_hotels", "", "find the hotels"),
        ("", "", "get the result"),
    ],
)  # fmt: skip
def test_a_tool_does_what_its_description_or_name_says(name: str, description: str, said: str) -> None:
    assert action_of(name, description).said == said


def do(of: Any, **arguments: Any) -> str:
    return speak(of.tool, arguments, Random(4)).do


def test_arguments_stand_where_english_has_them() -> None:
    weather = tool("get_weather", "Get the weather.", city=TEXT, date=TEXT)
    assert do(weather, city="Oslo") == "get the weather in Oslo"
    flight = tool("book_flight", "Book a flight.", origin=TEXT, destination=TEXT)
    assert {do(flight, origin="Oslo", destination="Lima")} <= {
        "book a flight from Oslo to Lima",
        "book a flight to Lima from Oslo",
    }
    order = tool("cancel_order", "Cancel an order.", order_id=TEXT)
    assert do(order, order_id="AB-1200") == "cancel order AB-1200"
    root = tool("factorial", "Calculate the factorial of a given number.", number=WHOLE)
    assert do(root, number=5) == "calculate the factorial of 5"
    mail = tool("send_mail", "Send an email.", to=TEXT, body=TEXT)
    assert do(mail, to="a@b.org") == "send an email to a@b.org"
    table = tool("book_table", "Book a table.", guests=WHOLE, include_wine={"type": "boolean"})
    assert do(table, guests=3, include_wine=False) == "book a table for 3 guests, and do not include wine"
    gap = tool("distance", "Get the distance between two places.", place1=TEXT, place2=TEXT)
    assert do(gap, place1="Oslo", place2="Lima") == "get the distance between Oslo and Lima"


def test_two_arguments_of_one_preposition_keep_apart() -> None:
    said = do(tool("compare", "Compare the rents.", city=TEXT, country=TEXT), city="Oslo", country="Peru")
    assert said.count(" in ") == 1
    assert "country Peru" in said or "city Oslo" in said


@pytest.mark.parametrize("frame", FRAMES, ids=[frame.name for frame in FRAMES])
def test_every_frame_says_every_value(frame: Any) -> None:
    one = tool("get_forecast", "Get the forecast.", city=TEXT, days=WHOLE, note=TEXT)
    values = {"city": "Malmö", "days": 3, "note": 'say "hi", {do} \\1'}
    text = ask(speak(one.tool, values, Random(1)), frame, Random(2))
    assert says_all(text, values) == []
    assert "get_forecast" not in text
    assert text[0] not in " .,"


def test_frames_are_chosen_by_what_is_to_be_said() -> None:
    none = speak(tool("restart", "Restart the server.").tool, {}, Random(1))
    assert {frame.name[:2] for frame in fitting(none, FRAMES)} == {"do"}
    look = speak(tool("f", "Get the weather.", city=TEXT).tool, {"city": "Oslo"}, Random(1))
    assert any(frame.name.startswith("what") for frame in fitting(look, FRAMES))
    many = {f"p{at}": at for at in range(8)}
    long = speak(tool("f", "Set the values.", **dict.fromkeys(many, WHOLE)).tool, many, Random(1))
    assert {frame.name[:4] for frame in fitting(long, FRAMES)} == {"list"}


def test_foreign_text_is_no_template() -> None:
    assert fill("{A} and {b}", {"a": "x {b} {c}", "b": "\\1 {a}"}) == "X {b} {c} and \\1 {a}"
    assert BY_NAME["do0"].text == "{Do}."
