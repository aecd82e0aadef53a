"""Reference: capitals, currencies, rates, populations, weather, arithmetic, units and dates.

Capitals, currencies, units and dates are real; rates, populations and weather only look it (`values.py`).
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from datetime import date
from typing import Any

from evaluation.tools.values import number, pick

CONDITIONS = ("sunny", "cloudy", "rainy", "foggy", "windy", "snowy")
_COUNTRIES = """
Argentina,Buenos Aires,ARS|Australia,Canberra,AUD|Austria,Vienna,EUR|Bangladesh,Dhaka,BDT|Botswana,Gaborone,BWP
Brazil,Brasilia,BRL|Bulgaria,Sofia,BGN|Cambodia,Phnom Penh,KHR|Canada,Ottawa,CAD|Chile,Santiago,CLP|China,Beijing,CNY
Colombia,Bogota,COP|Cuba,Havana,CUP|Denmark,Copenhagen,DKK|Egypt,Cairo,EGP|Ethiopia,Addis Ababa,ETB|Fiji,Suva,FJD
Finland,Helsinki,EUR|France,Paris,EUR|Georgia,Tbilisi,GEL|Ghana,Accra,GHS|Greece,Athens,EUR|Hungary,Budapest,HUF
Iceland,Reykjavik,ISK|India,New Delhi,INR|Indonesia,Jakarta,IDR|Iran,Tehran,IRR|Iraq,Baghdad,IQD|Ireland,Dublin,EUR
Israel,Jerusalem,ILS|Italy,Rome,EUR|Jamaica,Kingston,JMD|Japan,Tokyo,JPY|Jordan,Amman,JOD|Kazakhstan,Astana,KZT
Kenya,Nairobi,KES|Laos,Vientiane,LAK|Lebanon,Beirut,LBP|Malaysia,Kuala Lumpur,MYR|Mexico,Mexico City,MXN
Mongolia,Ulaanbaatar,MNT|Morocco,Rabat,MAD|Nepal,Kathmandu,NPR|New Zealand,Wellington,NZD|Nigeria,Abuja,NGN
Norway,Oslo,NOK|Pakistan,Islamabad,PKR|Peru,Lima,PEN|Poland,Warsaw,PLN|Portugal,Lisbon,EUR|Qatar,Doha,QAR
Romania,Bucharest,RON|Rwanda,Kigali,RWF|Serbia,Belgrade,RSD|Spain,Madrid,EUR|Sweden,Stockholm,SEK
Switzerland,Bern,CHF|Thailand,Bangkok,THB|Tunisia,Tunis,TND|Turkey,Ankara,TRY|Uganda,Kampala,UGX|Ukraine,Kyiv,UAH
Uruguay,Montevideo,UYU|Vietnam,Hanoi,VND|Zambia,Lusaka,ZMW
"""
COUNTRIES: dict[str, tuple[str, str]] = {
    name: (capital, currency)
    for name, capital, currency in (entry.split(",") for entry in _COUNTRIES.strip().replace("\n", "|").split("|"))
}
"""Capital and currency code (ISO 4217) by country."""

_UNITS: dict[str, tuple[str, float]] = {
    "kilometre": ("length", 1000.0),
    "metre": ("length", 1.0),
    "mile": ("length", 1609.344),
    "foot": ("length", 0.3048),
    "kilogram": ("mass", 1.0),
    "pound": ("mass", 0.45359237),
    "ounce": ("mass", 0.028349523125),
    "litre": ("volume", 1.0),
    "gallon": ("volume", 3.785411784),
}
"""What a unit measures, and how much of the base unit it is (international yard and pound; US liquid gallon)."""

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def get_capital(world: dict[str, Any], country: str) -> dict[str, Any]:
    """Return the capital of a country."""
    return {"capital": COUNTRIES[country][0]} if country in COUNTRIES else _unknown("country", country)


def get_currency(world: dict[str, Any], country: str) -> dict[str, Any]:
    """Return the code of a country's currency."""
    return {"code": COUNTRIES[country][1]} if country in COUNTRIES else _unknown("country", country)


def get_exchange_rate(world: dict[str, Any], code: str) -> dict[str, Any]:
    """Return how much of a currency one US dollar is."""
    return {"per_dollar": number(50, 90000, "per dollar", code) / 100}


def get_population(world: dict[str, Any], city: str) -> dict[str, Any]:
    """Return how many people live in a city."""
    return {"population": number(90, 14000, "population", city) * 1000}


def get_weather_now(world: dict[str, Any], city: str) -> dict[str, Any]:
    """Return the weather of a city at this moment (Celsius)."""
    return {"condition": pick(CONDITIONS, "now", city), "temperature": number(-8, 38, "now", city)}


def calculate(world: dict[str, Any], expression: str) -> dict[str, Any]:
    """Return the value of an expression of numbers, + - * / and parentheses, to six digits."""
    try:
        value = _value(ast.parse(expression, mode="eval").body)
        return {"result": int(value) if value == int(value) else round(value, 6)}
    except (SyntaxError, ValueError, ZeroDivisionError, OverflowError, RecursionError, MemoryError) as error:
        return {"error": f"expected an expression of numbers, + - * / and parentheses, found {expression!r}: {error}"}


def convert_units(world: dict[str, Any], value: float, source: str, target: str) -> dict[str, Any]:
    """Return a value in another unit of the same kind, to two digits."""
    if source not in _UNITS or target not in _UNITS or _UNITS[source][0] != _UNITS[target][0]:
        return {"error": f"expected two units of one kind among {', '.join(_UNITS)}, found {source!r} and {target!r}"}
    return {"value": round(value * _UNITS[source][1] / _UNITS[target][1], 2)}


def get_weekday(world: dict[str, Any], day: str) -> dict[str, Any]:
    """Return the weekday of a date (ISO 8601)."""
    try:
        return {"weekday": date.fromisoformat(day).strftime("%A")}
    except ValueError:
        return _unknown("date such as 2024-05-01", day)


def count_days(world: dict[str, Any], start: str, end: str) -> dict[str, Any]:
    """Return how many days after `start` the date `end` is (ISO 8601)."""
    try:
        return {"days": (date.fromisoformat(end) - date.fromisoformat(start)).days}
    except ValueError:
        return _unknown("date such as 2024-05-01", f"{start} and {end}")


def _unknown(expected: str, found: str) -> dict[str, Any]:
    return {"error": f"expected a known {expected}, found {found!r}"}


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left), _value(right))
    raise ValueError(f"there is no {type(node).__name__} in it")
