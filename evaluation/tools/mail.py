"""Mail: contacts, sending, forwarding, archiving and deleting."""

from __future__ import annotations

from typing import Any

from evaluation.tools.values import code, number, pick, slug

HOSTS = ("fastmail.com", "inbox.net", "postbox.org", "letters.io")
SUBJECTS = ("invoice", "holiday plans", "budget draft", "team lunch", "contract", "birthday", "road map", "survey")


def find_contact(world: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a contact's mail address and extension."""
    return {"email": f"{slug(name)}@{pick(HOSTS, 'contact', name)}", "extension": number(100, 999, "contact", name)}


def send_mail(world: dict[str, Any], to: str, subject: str) -> dict[str, Any]:
    """Send a new message."""
    world.setdefault("sent", []).append({"to": to, "subject": subject})
    return {"mail_id": code("ML", to, subject), "status": "sent"}


def forward_mail(world: dict[str, Any], mail_id: str, to: str) -> dict[str, Any]:
    """Pass an existing message on."""
    world.setdefault("forwarded", []).append({"mail_id": mail_id, "to": to})
    return {"mail_id": mail_id, "status": "forwarded"}


def archive_mail(world: dict[str, Any], mail_id: str) -> dict[str, Any]:
    """Put a message into the archive."""
    world.setdefault("archived", []).append(mail_id)
    return {"mail_id": mail_id, "status": "archived"}


def delete_mail(world: dict[str, Any], mail_id: str) -> dict[str, Any]:
    """Destroy a message."""
    world.setdefault("deleted_mails", []).append(mail_id)
    return {"mail_id": mail_id, "status": "deleted"}


def count_unread(world: dict[str, Any], sender: str) -> dict[str, Any]:
    """Return how many unread messages a sender has left, and what the newest is about."""
    return {"unread": number(1, 30, "unread", sender), "newest": pick(SUBJECTS, "unread", sender)}
