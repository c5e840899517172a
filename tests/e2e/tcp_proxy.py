"""A TCP proxy for one link: what passes can be delayed, throttled, stalled, stopped in one
direction, or cut off with a reset, and all of that undone.

    proxy = TcpProxy(("127.5.6.7", 4711), ("127.0.0.1", 4711))
    proxy.delay_s = 0.2             both ways, for what arrives from now on
    proxy.bytes_per_s = 64_000      each connection and direction
    proxy.stall()                   accepts, and reads nothing further; go_on() ends it
    proxy.stop("target")            what goes towards the target (or "source") goes no further
    proxy.refuse()                  resets what is open, and what comes; accept() ends it

One thread with an event loop for all proxies of a process.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from typing import Dict, Optional, Set, Tuple

CHUNK_BYTES = 64 * 1024
Address = Tuple[str, int]


class _Loop:
    """The thread; started with the first proxy."""

    _only: Optional[asyncio.AbstractEventLoop] = None

    @classmethod
    def get(cls) -> asyncio.AbstractEventLoop:
        if cls._only is None:
            cls._only = asyncio.new_event_loop()
            threading.Thread(target=cls._only.run_forever, daemon=True).start()
        return cls._only

    @classmethod
    def call(cls, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, cls.get()).result(10)


class TcpProxy:
    def __init__(self, listen: Address, target: Address):
        self.delay_s = 0.0
        self.bytes_per_s: Optional[float] = None
        self._target = target
        self._refusing = False
        self._gates: Dict[str, asyncio.Event] = {}
        self._sockets: Set[socket.socket] = set()
        self._tasks: Set[asyncio.Task] = set()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(listen)
        self._listener.listen()
        self._listener.setblocking(False)
        _Loop.call(self._open())

    # ---- faults ----------------------------------------------------------------------------------

    def stall(self) -> None:
        _Loop.call(self._set_gates(target=False, source=False))

    def stop(self, towards: str) -> None:
        _Loop.call(self._set_gates(**{towards: False}))

    def go_on(self) -> None:
        self.delay_s, self.bytes_per_s = 0.0, None
        _Loop.call(self._set_gates(target=True, source=True))

    def refuse(self) -> None:
        _Loop.call(self._reset_all(refusing=True))

    def accept(self) -> None:
        self._refusing = False

    def close(self) -> None:
        _Loop.call(self._close())

    # ---- in the loop's thread --------------------------------------------------------------------

    async def _open(self) -> None:
        self._gates = {"target": asyncio.Event(), "source": asyncio.Event()}
        await self._set_gates(target=True, source=True)
        self._start(self._serve())

    def _start(self, work) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _set_gates(self, **open_: bool) -> None:
        for name, is_open in open_.items():
            gate = self._gates[name]
            gate.set() if is_open else gate.clear()

    async def _reset_all(self, refusing: bool) -> None:
        self._refusing = refusing
        for each in list(self._sockets):
            self._reset(each)

    async def _close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await self._reset_all(refusing=True)
        self._listener.close()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            source, _ = await loop.sock_accept(self._listener)
            self._sockets.add(source)
            if self._refusing:
                self._reset(source)
            else:
                self._start(self._link(source))

    async def _link(self, source: socket.socket) -> None:
        target = socket.socket()
        target.setblocking(False)
        self._sockets.add(target)
        try:
            await asyncio.get_running_loop().sock_connect(target, self._target)
            ways = [
                asyncio.ensure_future(self._carry(source, target, "target")),
                asyncio.ensure_future(self._carry(target, source, "source")),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
        except OSError:
            pass
        finally:
            self._reset(source)
            self._reset(target)

    async def _carry(self, source: socket.socket, target: socket.socket, towards: str) -> None:
        """Ends with the connection. A delay holds for each chunk that arrives."""
        loop = asyncio.get_running_loop()
        late: asyncio.Queue = asyncio.Queue()

        async def write() -> None:
            while True:
                due, chunk = await late.get()
                await asyncio.sleep(max(0.0, due - loop.time()))  # tidy: backoff
                await loop.sock_sendall(target, chunk)

        writer = asyncio.ensure_future(write())
        try:
            while not writer.done():
                await self._gates[towards].wait()
                chunk = await loop.sock_recv(source, CHUNK_BYTES)
                await self._gates[towards].wait()
                if not chunk:
                    return
                late.put_nowait((loop.time() + self.delay_s, chunk))
                if self.bytes_per_s:
                    pause = len(chunk) / self.bytes_per_s
                    await asyncio.sleep(pause)  # tidy: backoff
        except OSError:
            pass
        finally:
            writer.cancel()

    def _reset(self, each: socket.socket) -> None:
        self._sockets.discard(each)
        try:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # A reader that waits in the loop must not be left with a number that is used again.
            asyncio.get_running_loop().remove_reader(each)
            asyncio.get_running_loop().remove_writer(each)
        except (OSError, ValueError):
            pass
        each.close()
