"""Shop orders: products, buying, tracking, cancelling and returning."""

from __future__ import annotations

from typing import Any

from evaluation.tools.values import code, number, pick

STATES = ("packed", "shipped", "delayed", "at customs", "out for delivery")


def track_order(world: dict[str, Any], order_id: str) -> dict[str, Any]:
    """Return where an order is and in how many days it arrives."""
    return {"state": pick(STATES, "track", order_id), "days_left": number(1, 14, "track", order_id)}


def cancel_order(world: dict[str, Any], order_id: str) -> dict[str, Any]:
    """Stop an order that has not been delivered."""
    world.setdefault("cancelled_orders", []).append(order_id)
    return {"order_id": order_id, "status": "cancelled"}


def return_order(world: dict[str, Any], order_id: str) -> dict[str, Any]:
    """Start sending a delivered order back."""
    world.setdefault("returned_orders", []).append(order_id)
    return {"label": code("RT", order_id), "status": "return started"}


def find_product(world: dict[str, Any], product: str) -> dict[str, Any]:
    """Return a product's shop number and price (whole dollars)."""
    return {"sku": code("SK", product), "price": number(4, 480, "price", product)}


def buy_product(world: dict[str, Any], sku: str, quantity: int) -> dict[str, Any]:
    """Order `quantity` pieces of a product."""
    order = {"order_id": code("OR", sku, quantity), "sku": sku, "quantity": quantity}
    world.setdefault("orders", []).append(order)
    return {"order_id": order["order_id"], "status": "ordered"}


def redeem_coupon(world: dict[str, Any], coupon: str) -> dict[str, Any]:
    """Turn a coupon into credit (whole dollars)."""
    world.setdefault("coupons", []).append(coupon)
    return {"credit": number(5, 50, "coupon", coupon), "status": "redeemed"}
