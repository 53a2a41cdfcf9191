"""How much memory requests may hold at once. A request that does not fit is refused before its body is read."""

from __future__ import annotations

from schemas.errors import Overloaded, TooLarge

_CRUMB = 4096


class Budget:
    """Bytes of requests in work, over all transports of the process. Used from one event loop, so it needs no lock."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def check(self, size: int) -> None:
        """Raises Overloaded when `size` more bytes would not fit now."""
        if self.used + size > self.limit:
            raise Overloaded(
                f"too many requests in work: {self.used} of {self.limit} bytes are taken; send again later"
            )

    def take(self, size: int) -> None:
        """Takes `size` bytes. Raises Overloaded, and takes nothing, when they do not fit."""
        self.check(size)
        self.used += size

    def give(self, size: int) -> None:
        """Gives `size` taken bytes back."""
        self.used -= size


class Upload:
    """The body of one request as it arrives: within its own limit, and charged to the budget as it grows.

    It is charged by what has arrived and not by what was announced, so that a client which announces much and sends
    little holds no one up.
    """

    __slots__ = ("_budget", "_charged", "_crumbs", "_pieces", "_size", "limit")

    def __init__(self, budget: Budget, limit: int) -> None:
        self._budget = budget
        self._charged = 0
        self._pieces: list[bytes] = []
        self._crumbs = bytearray()
        self._size = 0
        self.limit = limit

    def announce(self, size: int) -> None:
        """Looks at a Content-Length. Raises TooLarge, and Overloaded when so much does not fit now."""
        if size > self.limit:
            raise TooLarge(f"the body has {size} bytes, the limit is {self.limit}; send smaller batches")
        self._budget.check(size)

    def add(self, chunk: bytes) -> None:
        """Appends what arrived. Raises TooLarge and Overloaded, and then holds nothing any more."""
        if self._size + len(chunk) > self.limit:
            self.release()
            raise TooLarge(f"the body has more than {self.limit} bytes; send smaller batches")
        self.charge(len(chunk))
        self._size += len(chunk)
        if (
            len(chunk) < _CRUMB
        ):  # one growing buffer: a list of many tiny chunks would take forty times their size
            self._crumbs += chunk
            return
        self._sweep()
        self._pieces.append(chunk)

    def _sweep(self) -> None:
        if self._crumbs:
            self._pieces.append(bytes(self._crumbs))
            self._crumbs = bytearray()

    def body(self) -> bytes:
        """What has arrived."""
        self._sweep()
        if len(self._pieces) > 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0] if self._pieces else b""

    def charge(self, size: int) -> None:
        """Charges memory that grows out of the body: itself, and its decompressed form.

        Raises Overloaded, and then holds nothing any more.
        """
        try:
            self._budget.take(size)
        except Overloaded:
            self.release()
            raise
        self._charged += size

    def release(self) -> None:
        """Lets go of the body and of all that it was charged. May be called again."""
        self._budget.give(self._charged)
        self._charged = 0
        self._pieces, self._crumbs, self._size = [], bytearray(), 0
