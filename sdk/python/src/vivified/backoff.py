"""Growing, jittered pauses, so that many plugins that lost one core do not come
back in the same instant."""

from __future__ import annotations

import random


class Backoff:
    def __init__(self, base: float, most: float) -> None:
        self._base, self._most = base, most  # seconds
        self._tries = 0

    def next(self) -> float:
        """Return the next pause: between half of and all of base, 2·base … most."""
        pause = min(self._base * (1 << min(self._tries, 32)), self._most)
        self._tries += 1
        return pause * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Start again from base, after a success."""
        self._tries = 0
