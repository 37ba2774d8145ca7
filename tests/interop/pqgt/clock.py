"""A session's end in time ("Records", Time)."""

import time
from collections.abc import Callable

from .errors import SessionOver

BACKWARDS = 2.0


class Lifetime:
    """Counts from M1 on the monotonic and on the wall clock; `monotonic` and `wall` read them, in seconds."""

    def __init__(self) -> None:
        self.monotonic: Callable[[], float] = time.monotonic
        self.wall: Callable[[], float] = time.time
        self._monotonic = self.monotonic()
        self._wall = self._latest = self.wall()

    def check(self, seconds: int) -> None:
        """Raises when `seconds` have passed on either clock, or the wall clock has gone back by more than two."""
        wall = self.wall()
        if self.monotonic() - self._monotonic >= seconds or wall - self._wall >= seconds:
            raise SessionOver(f"the session's {seconds} seconds have passed")
        if wall < self._latest - BACKWARDS:
            raise SessionOver("the wall clock went back")
        self._latest = max(self._latest, wall)
