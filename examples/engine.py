#!/usr/bin/python3
"""An engine in a page: what it asks its sidecar for each prompt, with a KV pool of 64 slots.

    ./examples/engine.py [SOCKET]        # or $RADIXMESH_SOCKET: a prefill, decode or unified node

It resets the node first. Made for small pages (1, the sidecar's own default, up to 8): the
prompts are short.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "ipc" / "python"))

import radixmesh  # noqa: E402

SLOTS = 64
SYSTEM = list(range(1, 17))  # 16 tokens with which every prompt begins
PROMPTS = {
    "weather": SYSTEM + list(range(100, 116)),
    "sports": SYSTEM + list(range(200, 224)),
    "weather, turn 2": SYSTEM + list(range(100, 132)),
}


def slots_of(runs):
    """Runs of slots as single slots: [(4, 3)] -> [4, 5, 6]."""
    return [slot for start, count in runs for slot in range(start, start + count)]


class ToyEngine:
    def __init__(self, mesh):
        self.mesh = mesh
        self.free = list(range(SLOTS))

    def run(self, name, tokens):
        # Match and lock in one: nobody evicts the match while we read it. Leaving lets go.
        with self.mesh.acquire(tokens) as lease:
            cached = lease.match.local_length
            missing = len(tokens) - cached
            if missing > len(self.free):
                evicted = slots_of(self.mesh.evict(missing - len(self.free)))
                self.free += evicted
                print(f"  evicted {len(evicted)} tokens to make room")
            if missing > len(self.free):
                print(f"{name}: {len(tokens)} tokens are more than fit beside what is locked")
                return
            fresh, self.free = self.free[:missing], self.free[missing:]
            # ... here an engine computes the KV of tokens[cached:] into the slots `fresh` ...
            slots = slots_of(lease.match.local_slots) + fresh
            result = self.mesh.insert(tokens, slots)
        # First writer wins: what was there before is not taken, nor is a tail shorter than a page.
        kept = slots[result.prefix_len : result.prefix_len + result.stored]
        self.free += [slot for slot in fresh if slot not in kept] + slots_of(result.freed)
        print(f"{name}: {len(tokens)} tokens, {cached} cached, {result.stored} stored anew")


def main():
    try:
        # Without an argument, connect() takes $RADIXMESH_SOCKET.
        with radixmesh.connect(*sys.argv[1:2], timeout=5) as mesh:
            mesh.reset()  # our pool is empty, so nothing may be cached
            engine = ToyEngine(mesh)
            for name, tokens in PROMPTS.items():
                engine.run(name, tokens)
            print("\nwhat is cached where:")
            for name, tokens in PROMPTS.items():
                for addr, depth in mesh.match_prefix(tokens).depths.items():
                    print(f"  {name}: {depth} of {len(tokens)} tokens at {addr}")
    except radixmesh.RadixMeshError as error:
        sys.exit(f"engine: {error}")


if __name__ == "__main__":
    main()
