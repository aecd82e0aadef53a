"""What a synthesis has spent and may still spend, teacher and judge together, over all its processes.

Decisions: what earlier processes took is counted from the answers and judgements on disk; what is left of it is one
budget, from which both are paid. The number of requests that may be made is the teacher's alone.
"""

from __future__ import annotations

from evaluation.clients.budget import Budget, Budgeted, Spent
from evaluation.clients.journal import Recorded
from evaluation.models import ModelClient
from evaluation.pricing import Price
from training.synthesis.config import SpendConfig
from training.synthesis.folder import Folder, read_requests


class Spending:
    """The money, tokens and requests of one synthesis."""

    def __init__(self, spend: SpendConfig, folder: Folder, teacher: Price, judge: Price | None = None) -> None:
        """`teacher`, `judge`: what their calls cost."""
        self.teacher, self.judge = teacher, judge or teacher
        self.requests = 0
        """Requests that the teacher has answered, in earlier processes."""
        taken = Spent()
        for request in read_requests(folder.path):
            answer = folder.answers.get(request.id)
            if answer is not None and answer.completion is not None:
                self.requests += 1
                taken = taken.plus(spent(answer, teacher))
        for call in folder.judgements.calls():
            taken = taken.plus(spent(call, self.judge))
        self._money = None if spend.money is None else spend.money - taken.money
        self._tokens = None if spend.tokens is None else spend.tokens - taken.tokens
        self._budget = None
        if not self.over and (self._money is not None or self._tokens is not None):
            self._budget = Budget(money=self._money, tokens=self._tokens)

    @property
    def over(self) -> bool:
        """Whether earlier processes have spent it all."""
        return any(left is not None and left <= 0 for left in (self._money, self._tokens))

    def paid(self, client: ModelClient, price: Price) -> ModelClient:
        """Return the client, paid from what is left; one whose budget is spent is not to be asked."""
        return client if self._budget is None else Budgeted(client, self._budget, price)


def spent(call: Recorded, price: Price) -> Spent:
    """Return what a call took; nothing where it failed."""
    one = call.completion
    if one is None:
        return Spent()
    cost = price.of(one.tokens_in, one.tokens_out, cached=one.tokens_cached, latency_ms=one.latency_ms)
    return Spent(cost, one.tokens_in + one.tokens_out)
