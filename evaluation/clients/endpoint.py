"""What a client is told of one model at one OpenAI-compatible endpoint: a light config, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field

from evaluation.clients.retry import RetryPolicy
from evaluation.clients.secrets import Secret, url_mistake

OPENAI_URL = "https://api.openai.com/v1"


@dataclass(frozen=True)
class EndpointConfig:
    """One model at one endpoint."""

    model: str
    """As the endpoint names it."""
    base_url: str = OPENAI_URL
    key: Secret = field(default_factory=lambda: Secret(""))
    stream: bool = False
    concurrency: int = 256
    """Requests at the same time at most; fewer while the endpoint cannot take so many."""
    time_limit_s: float = 120.0
    """For one try, from request to last byte."""
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Sent with each request. Not told, as they may hold keys."""
    name: str = ""
    """What episodes record as their model; empty: as the endpoint names it."""

    def __post_init__(self) -> None:
        wrong = [] if self.model else ["model: expected a name, found none"]
        if mistake := url_mistake(self.base_url):
            wrong.append(f"base URL: {mistake}")
        if self.concurrency < 1:
            wrong.append(f"concurrency: expected at least 1, found {self.concurrency}")
        if self.time_limit_s <= 0:
            wrong.append(f"time limit: expected more than 0 s, found {self.time_limit_s:g}")
        if wrong:
            raise ValueError("; ".join(wrong))
