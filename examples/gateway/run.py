"""Sends requests through the mesh as a gateway would, and counts what came of them.

Per request: wait for the router's picture (router_view), ask it for a prefill and a decode node,
let the engine of each serve the prompt. A *violation* is a promise that the mesh did not keep: the
router named a depth that the node itself did not find, or a match named slots that its engine never
filled.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Optional, Sequence

from gateway.engine import Engine
from gateway.failure import Failure
from gateway.request import Request
from gateway.router_view import RouterView


@dataclass
class Totals:
    """`hit_tokens` are counted at the prefill nodes, `new_tokens` (stored) at all engines."""

    requests: int = 0
    input_tokens: int = 0
    hit_tokens: int = 0
    new_tokens: int = 0
    violations: int = 0
    first_violation: Optional[str] = None
    reasons: Counter = field(default_factory=Counter)  # why the router chose as it did
    seconds: float = 0.0

    def violated(self, what: str) -> None:
        self.violations += 1
        self.first_violation = self.first_violation or what


@dataclass
class Gateway:
    """`engines` by address; `expand` makes a request's tokens."""

    router: Any
    engines: Dict[str, Engine]
    view: RouterView
    expand: Callable[[Request], Any]
    totals: Totals = field(default_factory=Totals)

    def send_all(self, requests: Sequence[Request], after_each: Callable[[int], None]) -> None:
        """Calls `after_each` with the number of requests done, after each."""
        began = time.monotonic()
        for request in requests:
            self._send(request)
            after_each(self.totals.requests)
        self.totals.seconds = time.monotonic() - began

    def _send(self, request: Request) -> None:
        totals = self.totals
        tokens = self.expand(request)
        self.view.wait()
        choice = self.router.route(tokens)
        totals.requests += 1
        totals.input_tokens += request.input_length
        for role, node in (("prefill", choice.prefill), ("decode", choice.decode)):
            if node is None:
                raise Failure(
                    f"request {totals.requests}: the router names no {role} node ({choice.reason})"
                )
            hit_tokens = self._serve(node, tokens)
            if role == "prefill":
                totals.hit_tokens += hit_tokens
                choice.booking.prefill_done(hit_tokens)
        choice.booking.finish()
        totals.reasons[choice.reason] += 1

    def _serve(self, node: Any, tokens: Any) -> int:
        engine = self.engines.get(node.addr)
        if engine is None:
            raise Failure(f"the router names {node.addr}, which is no engine of this mesh")
        served = engine.serve(tokens)
        where = f"request {self.totals.requests} at {node.addr}"
        if node.depth > served.local_length:
            self.totals.violated(
                f"{where}: routed for {node.depth} cached tokens, {served.local_length} were there"
            )
        if served.phantom:
            self.totals.violated(f"{where}: the match names slots that the engine never filled")
        if served.changed:
            self.view.note_change(engine)
        self.totals.new_tokens += served.stored
        return served.local_length
