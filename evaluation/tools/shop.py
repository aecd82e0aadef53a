"""A shop's customers and their orders, as the suite `dialogue` serves them.

The world: `customers` by mail address, `orders` by number, `articles` by name, `handed_over` topics. The tools keep no
policy: they do what is asked of them where it can be done at all. Money is whole dollars.
"""

from __future__ import annotations

from typing import Any


def find_customer(world: dict[str, Any], email: str) -> dict[str, Any]:
    """Return who a mail address belongs to, and the numbers of their orders."""
    customer = world.get("customers", {}).get(email.strip().casefold())
    return dict(customer) if customer else {"error": f"no customer has the address {email}"}


def get_order(world: dict[str, Any], order_id: str) -> dict[str, Any]:
    """Return all that is known of an order."""
    order = _order(world, order_id)
    return {"order_id": order_id, **order} if order else _no_order(order_id)


def cancel_purchase(world: dict[str, Any], order_id: str) -> dict[str, Any]:
    """Call a whole order off; its price goes back to what it was paid with."""
    order = _order(world, order_id)
    if order is None:
        return _no_order(order_id)
    if order["status"] in ("delivered", "cancelled"):
        return {"error": f"order {order_id} is {order['status']}"}
    order["status"] = "cancelled"
    refund = sum(item["price"] for item in order["items"].values())
    return _refunded(world, order_id, refund, order["paid_with"])


def return_item(world: dict[str, Any], order_id: str, item: str, refund_to: str) -> dict[str, Any]:
    """Take one article of a delivered order back."""
    found = _delivered(world, order_id, item)
    if "error" in found:
        return found
    found["status"] = "returned"
    return _refunded(world, order_id, found["price"], refund_to)


def exchange_item(world: dict[str, Any], order_id: str, item: str, new_item: str) -> dict[str, Any]:
    """Swap one article of a delivered order for another one that is in stock."""
    found, new = _delivered(world, order_id, item), world.get("articles", {}).get(new_item)
    if "error" in found:
        return found
    if new is None or new["in_stock"] < 1:
        return {"error": f"{new_item} is not in stock"}
    found |= {"status": "exchanged", "exchanged_for": new_item}
    new["in_stock"] -= 1
    return {"order_id": order_id, "sent": new_item, "to_pay": new["price"] - found["price"]}


def change_address(world: dict[str, Any], order_id: str, address: str) -> dict[str, Any]:
    """Send an order somewhere else."""
    order = _order(world, order_id)
    if order is None:
        return _no_order(order_id)
    order["address"] = address
    return {"order_id": order_id, "address": address}


def find_article(world: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an article's price and how many are in stock."""
    article = world.get("articles", {}).get(name)
    return {"name": name, **article} if article else {"error": f"no article is called {name}"}


def hand_over(world: dict[str, Any], topic: str) -> dict[str, Any]:
    """Let a colleague call the customer back."""
    world.setdefault("handed_over", []).append(topic)
    return {"topic": topic, "call_back_within_hours": 24}


def _order(world: dict[str, Any], order_id: str) -> dict[str, Any] | None:
    order: dict[str, Any] | None = world.get("orders", {}).get(order_id)
    return order


def _no_order(order_id: str) -> dict[str, Any]:
    return {"error": f"no order has the number {order_id}"}


def _delivered(world: dict[str, Any], order_id: str, item: str) -> dict[str, Any]:
    """Return an article that the customer has, or what is wrong."""
    order = _order(world, order_id)
    if order is None:
        return _no_order(order_id)
    found: dict[str, Any] | None = order["items"].get(item)
    if found is None:
        return {"error": f"order {order_id} holds {', '.join(order['items'])}, and no {item}"}
    if order["status"] != "delivered" or found.get("status"):
        return {"error": f"{item} is {found.get('status') or order['status']}"}
    return found


def _refunded(world: dict[str, Any], order_id: str, amount: int, to: str) -> dict[str, Any]:
    world.setdefault("refunds", []).append({"order_id": order_id, "amount": amount, "to": to})
    return {"order_id": order_id, "refund": amount, "refund_to": to}
