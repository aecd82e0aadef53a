"""stub"""


def lineage() -> None:
    """x"""
