"""Two sidecars for tests, on real Unix sockets, that share no code with the client.

FakeSidecar behaves: a small cache with pages, leases and subscribers, which takes what PROTOCOL.md
lets a client send and refuses the rest. ScriptedSidecar misbehaves, as its script says.
"""

from __future__ import annotations

import socket
import struct
import threading
from itertools import islice

import msgpack

PAGE_SIZE = 2
ADDR = "127.0.0.1:7001"
PEER = "127.0.0.1:7002"
LIMITS = {
    "frame_bytes_max": 16 * 1024 * 1024,
    "tokens_max": 1048576,
    "runs_max": 65536,
    "answer_runs_max": 65536,
    "evicted_runs_max": 4096,
    "clients_max": 64,
    "output_bytes_max": 64 * 1024 * 1024,
    "leases_max": 4,
}
HELLO = {
    "protocol": 1,
    "addr": ADDR,
    "rank": 0,
    "role": "unified",
    "cluster": "test",
    "page_size": PAGE_SIZE,
    "epoch": 1700000000000000,
    "limits": LIMITS,
}
WORK = {
    "prefill_rate": 5000.0,
    "rate_source": "learned",
    "pull_rate": 0,
    "booked": {"requests": 1, "prefills": 1, "prefill_tokens": 900, "decode_tokens": 0},
    "hits": {"reports": 0, "predicted_tokens": 0, "actual_tokens": 0},
}
PARAMS = {  # method: (required, optional)
    "hello": (set(), {"protocol", "client", "engine_token", "state"}),
    "insert": ({"tokens", "slots"}, {"namespace"}),
    "match_prefix": ({"tokens"}, {"namespace", "touch"}),
    "acquire": ({"tokens"}, {"namespace", "remote", "source"}),
    "release": ({"lease"}, set()),
    "validate": ({"lease"}, set()),
    "gc": (set(), {"run"}),
    "gc_ack": ({"number"}, set()),
    "evict": ({"num_tokens"}, set()),
    "delete": ({"tokens"}, {"namespace"}),
    "reset": (set(), set()),
    "route": ({"tokens"}, {"namespace", "book"}),
    "prefill_done": ({"booking"}, {"hit_tokens"}),
    "finish": ({"booking"}, set()),
    "redirect": ({"tokens"}, {"namespace", "visited"}),
    "explain": ({"tokens"}, {"namespace"}),
    "finish_warm_up": (set(), set()),
    "report_load": (
        {"running", "waiting", "kv_used", "kv_total"},
        {"queued_tokens", "prefill_rate"},
    ),
    "member_remove": ({"addr"}, set()),
    "drain": (set(), set()),
    "status": (set(), set()),
    "nodes": (set(), set()),
    "tree": (set(), {"holder", "skip", "limit"}),
    "subscribe": ({"events"}, set()),
}


class Refusal(Exception):
    """(code, message), as it goes to the client."""


def frame(value):
    payload = msgpack.packb(value)
    return struct.pack(">I", len(payload)) + payload


def read_frame(connection):
    """The next frame's value; EOFError where the client is gone, or leaves in its midst."""
    (length,) = struct.unpack(">I", _read(connection, 4))
    assert 1 <= length <= LIMITS["frame_bytes_max"]
    return msgpack.unpackb(_read(connection, length))


def _read(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


class _Listener:
    """Accepts on `path`; each connection has a thread. close() ends them all and waits."""

    def __init__(self, path):
        self.path = str(path)
        self.failures = []  # exceptions of the threads that are the test's or the client's fault
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(self.path)
        self._socket.listen()
        self._connections = []
        self.ended = threading.Condition()
        self.open_count = 0  # of connections
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._connections.append(connection)
            with self.ended:
                self.open_count += 1
            thread = threading.Thread(target=self._guard, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _guard(self, connection):
        try:
            self.serve(connection)
        except (EOFError, OSError):
            pass  # the client left
        except Exception as error:
            self.failures.append(error)
        finally:
            connection.close()
            with self.ended:
                self.open_count -= 1
                self.ended.notify_all()

    def wait_open(self, count):
        """Until so many connections are open, and no more."""
        with self.ended:
            found = self.ended.wait_for(lambda: self.open_count == count, timeout=10)
            assert found, f"{self.open_count} connections are open, and not {count}"

    def cut_all(self):
        """As a sidecar that is killed: every connection ends at once."""
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        for stop in (lambda: self._socket.shutdown(socket.SHUT_RDWR), self._socket.close):
            try:
                stop()
            except OSError:
                pass
        self.cut_all()
        for thread in self._threads:
            thread.join(timeout=10)
            assert not thread.is_alive()
        assert self.failures == []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class ScriptedSidecar(_Listener):
    """Answers hello properly, then hands each connection and the next request to `script`.

    With hello=False the script gets the connection as it is, and None for the request.
    """

    def __init__(self, path, script, hello=True):
        self._script = script
        self._hello = hello
        super().__init__(path)

    def serve(self, connection):
        if not self._hello:
            self._script(connection, None)
            return
        request = read_frame(connection)
        if request[2] == "hello":
            connection.sendall(frame([1, request[1], None, HELLO]))
            request = read_frame(connection)
        self._script(connection, request)


class FakeSidecar(_Listener):
    """`pages` maps (namespace, prefix of whole pages) to the slots of the last page of it.

    `epoch` is that of its life: another one at the same path is the same sidecar after a restart.
    """

    def __init__(self, path, epoch=HELLO["epoch"]):
        self.epoch = epoch
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.pages = {}
        self.locked = {}  # lease: the keys of pages
        self.requests = []  # [method, params] of all connections, in the order of arrival
        self.senders = []  # the connection of each of them
        self.subscribers = {}  # connection: events
        self.remote_segments = []  # what a lease with `remote` covers elsewhere
        self.lapsed = set()  # leases whose reference is no more
        self.collection = {"mode": "local-ref", "round_running": False}  # what gc tells
        self.unacknowledged = {}  # number: the params of the gc_free
        self.bookings = set()  # those that are open
        self._booking = 40
        self.seq = 0
        self._lease = 100
        super().__init__(path)

    def serve(self, connection):
        leases = set()
        try:
            while True:
                kind, request_id, method, params = read_frame(connection)
                assert kind == 0 and 0 <= request_id < 2**32
                with self.lock:
                    self.requests.append([method, params])
                    self.senders.append(connection)
                    try:
                        answer = [1, request_id, None, self._carry_out(method, params, leases)]
                    except Refusal as refusal:
                        answer = [1, request_id, list(refusal.args), None]
                    connection.sendall(frame(answer))
                    if method == "subscribe":
                        self.subscribers[connection] = params["events"]
                        self._tell_again(connection)
                    self.changed.notify_all()
        finally:
            with self.lock:
                self.subscribers.pop(connection, None)
                for lease in leases:
                    self.locked.pop(lease, None)
                self.changed.notify_all()

    def wait_until(self, condition):
        with self.changed:
            assert self.changed.wait_for(condition, timeout=10)

    def notify(self, method, params, event=None):
        with self.lock:
            for connection, events in self.subscribers.items():
                if (event or method) in events:
                    connection.sendall(frame([2, method, params]))

    def free(self, number, slots, epoch=None):
        """Slots that are nobody's any more: told now, and to who comes anew until acknowledged."""
        epoch = self.epoch if epoch is None else epoch
        told = {"number": number, "slots": slots, "advice": False, "state": [epoch, 10 + number]}
        with self.lock:
            self.unacknowledged[number] = told
            self.notify("gc_free", told)

    def advise(self, slots, number=0, epoch=HELLO["epoch"]):
        told = {"number": number, "slots": slots, "advice": True, "state": [epoch, 10]}
        self.notify("gc_free", told, "gc_advice")

    def _tell_again(self, connection):
        if "gc_free" in self.subscribers[connection]:
            for _, told in sorted(self.unacknowledged.items()):
                connection.sendall(frame([2, "gc_free", told]))

    def _carry_out(self, method, params, leases):
        if method not in PARAMS:
            raise Refusal("upgrade", f"unknown method {method}")
        required, optional = PARAMS[method]
        for name in sorted(required - set(params)):
            raise Refusal("fix_request", f"{name} are missing")
        for name in sorted(set(params) - required - optional):
            raise Refusal("fix_request", f"unknown parameter {name}")
        if method in ("acquire", "release", "validate"):
            return getattr(self, method)(leases, **params)
        return getattr(self, method)(**params)

    def hello(self, protocol, client, engine_token=b"", state=(0, 0)):
        assert protocol == [1, 1] and isinstance(client, str)
        if not isinstance(engine_token, bytes) or len(engine_token) > 64:
            raise Refusal("fix_request", "engine_token is longer than 64 bytes")
        return {**HELLO, "epoch": self.epoch}

    def insert(self, tokens, slots, namespace=None):
        keys = list(self._keys(tokens, namespace))
        flat = [slot for start, count in slots for slot in range(start, start + count)]
        if len(flat) < len(keys) * PAGE_SIZE:
            raise Refusal("fix_request", "there are fewer slots than tokens")
        stored = 0
        for number, key in enumerate(keys):
            if key not in self.pages:
                self.pages[key] = flat[number * PAGE_SIZE : (number + 1) * PAGE_SIZE]
                stored += PAGE_SIZE
        self._op("INSERT", stored)
        return {"prefix_len": len(keys) * PAGE_SIZE - stored, "stored": stored, "freed": []}

    def match_prefix(self, tokens, namespace=None, touch=True):
        slots = []
        for key in self._keys(tokens, namespace):
            if key not in self.pages:
                break
            slots += self.pages[key]
        length = len(slots)
        runs = [[slot, 1] for slot in slots]
        return {
            "length": length,
            "local_length": length,
            "local_slots": runs,
            "depths": {ADDR: length} if length else {},
            "segments": [[0, length, ADDR, runs]] if length else [],
        }

    def acquire(self, leases, tokens, namespace=None, remote=False, source=None):
        if len(leases) == LIMITS["leases_max"]:
            raise Refusal("send_less", "leases_max leases are held already")
        match = self.match_prefix(tokens, namespace)
        self._lease += 1
        leases.add(self._lease)
        count = match["local_length"] // PAGE_SIZE
        self.locked[self._lease] = set(islice(self._keys(tokens, namespace), count))
        segments = match["segments"] + (self.remote_segments if remote else [])
        return {"lease": self._lease, "match": match, "segments": segments}

    def release(self, leases, lease):
        if lease not in leases:
            raise Refusal("fix_request", "no such lease on this connection")
        leases.remove(lease)
        del self.locked[lease]
        return {}

    def validate(self, leases, lease):
        return {"valid": lease in leases and lease not in self.lapsed}

    def gc(self, run=False):
        if run and self.collection["mode"] == "off":
            raise Refusal("fix_request", "no round can begin: off")
        return self.collection

    def gc_ack(self, number):
        self.unacknowledged.pop(number, None)
        return {}

    def evict(self, num_tokens):
        held = set().union(*self.locked.values())
        freed = []
        # Longer prefixes first: what is below goes before what is above.
        for key in sorted(set(self.pages) - held, key=lambda key: -len(key[1])):
            if len(freed) >= num_tokens:
                break
            freed += self.pages.pop(key)
        return {"freed": [[slot, 1] for slot in freed]}

    def delete(self, tokens, namespace=None):
        top = list(self._keys(tokens, namespace))[-1]
        size = len(top[1])
        return self._remove([k for k in self.pages if k[0] == top[0] and k[1][:size] == top[1]])

    def reset(self):
        return self._remove(list(self.pages))

    def _remove(self, keys):
        if set(keys) & set().union(*self.locked.values()):
            raise Refusal("retry_later", "a page is locked")
        freed = [slot for key in keys for slot in self.pages.pop(key)]
        self._op("DELETE", len(freed))
        return {"freed": [[slot, 1] for slot in freed]}

    def route(self, tokens, namespace=None, book=False):
        target = self._target(tokens, namespace)
        booking = None
        if book:
            self._booking += 1
            booking = self._booking
            self.bookings.add(booking)
        route = {"prefill": target, "decode": None, "source": self._source(tokens)}
        return {**route, "reason": "prefix", "booking": booking}

    def prefill_done(self, booking, hit_tokens=None):
        return {}

    def finish(self, booking):
        self.bookings.discard(booking)
        return {}

    def finish_warm_up(self):
        return {}

    def redirect(self, tokens, namespace=None, visited=()):
        if ADDR in visited:
            return {"target": None, "source": None, "reason": "stay"}
        target = self._target(tokens, namespace)
        return {"target": target, "source": self._source(tokens), "reason": "sooner"}

    def explain(self, tokens, namespace=None):
        target = self._target(tokens, namespace)
        names = ("wait_s", "pull_s", "compute_s", "delay_s", "room_s", "duplicate_s")
        names += ("transfer_s", "step_s")
        terms = dict.fromkeys(names, 0.25)
        candidate = {
            **target,
            **WORK,
            "role": "unified",
            "excluded": None,
            "indexed_depth": 0,
            "load": None,
            "requests": 2,
            "queued_tokens": 1500.0,
            "decode_tokens": 0.0,
            "busy": 0.5,
            "kv_free": None,
            "pull_in_tokens": 0.0,
            "pull_out_tokens": 0.0,
            "source": self._source(tokens),
            "terms": terms,
            "prefill_cost_s": 0.75,
            "decode_cost_s": 0.5,
            "is_prefill": True,
            "is_decode": False,
        }
        gone = {
            **candidate,
            "addr": PEER,
            "rank": 1,
            "excluded": "dead",
            "is_prefill": False,
            "prefill_cost_s": None,
            "decode_cost_s": None,
        }
        return {
            "tokens": len(tokens) // 4,
            "policy": "cost",
            "reason": "prefix",
            "prefill": target,
            "decode": None,
            "source": self._source(tokens),
            "candidates": [candidate, gone],
        }

    def _target(self, tokens, namespace):
        depth = self.match_prefix(tokens, namespace)["length"]
        return {"addr": ADDR, "rank": 0, "depth": depth}

    def _source(self, tokens):
        """The peer has all but one token of longer prompts."""
        depth = len(tokens) // 4 - 1
        return {"addr": PEER, "depth": depth, "tokens": 4} if depth > 4 else None

    def report_load(self, **load):
        assert all(isinstance(value, int) for value in load.values())
        return {}

    def member_remove(self, addr):
        if addr == ADDR:
            raise Refusal("fix_request", f"{addr} is this node itself: drain it")
        return {"addr": addr, "wait_ms": 1500 if addr.startswith("reader") else 0}

    def drain(self):
        return {}

    def status(self):
        return {"addr": ADDR, "local_tokens": len(self.pages) * PAGE_SIZE, "counters": {"ops": 1}}

    def nodes(self):
        known = {
            "role": "unified",
            "epoch": 7,
            "applied": 3,
            "head": 4,
            "refute": 0,
            "lag_ops": 1,
            "lag_seconds": 0.5,
            "last_repair": {"how": "replay", "seconds_ago": 2.0},
            "digest_mismatches": 0,
            **WORK,
        }
        load = {"running": 1, "waiting": 0, "kv_used": 5, "kv_total": 10}
        return [
            dict(known, addr=ADDR, rank=0, state="alive", last_heard_ms=0, load=load),
            dict(known, addr=PEER, rank=1, state="suspect", last_heard_ms=900, load=None),
        ]

    def tree(self, holder=None, skip=0, limit=1000):
        rows = []
        for seq, (namespace, prefix) in enumerate(sorted(self.pages, key=lambda k: len(k[1])), 1):
            row = {
                "namespace": list(namespace),
                "begin": len(prefix) - PAGE_SIZE,
                "end": len(prefix),
                "head": struct.pack(f"<{PAGE_SIZE}I", *prefix[-PAGE_SIZE:]),
                "hash": "00ff",
            }
            more = {"holders": [ADDR], "lock_ref": 0} if holder is None else {"seq": seq}
            rows.append({**row, **more})
        name = "edges" if holder is None else "entries"
        tokens = len(self.pages) * PAGE_SIZE
        return {name: rows[skip : skip + limit], "total": len(rows), "tree_tokens": tokens}

    def subscribe(self, events):
        if not set(events) <= {"op", "membership", "gc_free", "gc_advice"}:
            raise Refusal("fix_request", "events has an unknown name")
        return {}

    def _op(self, kind, tokens):
        self.seq += 1
        body = {"origin": ADDR, "epoch": 1, "seq": self.seq, "type": kind, "tokens": tokens}
        self.notify("op", body)

    def _keys(self, tokens, namespace):
        """The keys of the whole pages of `tokens`, parents before children."""
        if namespace is None:
            namespace = [None] * 4
        parts = (str, bytes, type(None))
        if len(namespace) != 4 or not all(isinstance(part, parts) for part in namespace):
            raise Refusal("fix_request", "namespace is no array of four")
        if not isinstance(tokens, bytes) or len(tokens) % 4:
            raise Refusal("fix_request", "tokens are no binary of whole tokens")
        ids = struct.unpack(f"<{len(tokens) // 4}I", tokens)
        ends = range(PAGE_SIZE, len(ids) + 1, PAGE_SIZE)
        # A generator: a lookup that ends at the first page must not build a million prefixes.
        return ((tuple(namespace), ids[:end]) for end in ends)
