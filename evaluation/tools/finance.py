"""Finance: balances, transfers, requests, exchange rates, share prices and cards."""

from __future__ import annotations

from typing import Any

from evaluation.tools.values import code, number


def get_balance(world: dict[str, Any], account: str) -> dict[str, Any]:
    """Return what is on an account (whole dollars): the world's figure where it has one."""
    known: dict[str, int] = world.get("balances", {})
    return {"account": account, "balance": known.get(account, number(20, 9800, "balance", account))}


def find_account(world: dict[str, Any], person: str) -> dict[str, Any]:
    """Return the account that a person is paid on."""
    return {"account": code("AC", person), "bank": f"bank {number(1, 9, 'bank', person)}"}


def transfer_money(world: dict[str, Any], account: str, amount: int) -> dict[str, Any]:
    """Pay `amount` dollars to an account."""
    world.setdefault("transfers", []).append({"account": account, "amount": amount})
    return {"reference": code("TF", account, amount), "status": "sent"}


def request_money(world: dict[str, Any], person: str, amount: int) -> dict[str, Any]:
    """Ask a person to pay `amount` dollars."""
    world.setdefault("requests", []).append({"person": person, "amount": amount})
    return {"request_id": code("RQ", person, amount), "status": "asked"}


def get_share_price(world: dict[str, Any], ticker: str) -> dict[str, Any]:
    """Return a share's price in dollars and its change today in percent."""
    cents = number(300, 90000, "share", ticker)
    return {"price": cents / 100, "change_percent": number(-9, 9, "change", ticker)}


def freeze_card(world: dict[str, Any], card: str) -> dict[str, Any]:
    """Block a payment card."""
    world.setdefault("frozen_cards", []).append(card)
    return {"card": card, "status": "frozen"}
