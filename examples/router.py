#!/usr/bin/python3
"""A router in a page: asks its sidecar where a prompt should run, and prints the choice.

    ./examples/router.py [--socket SOCKET] [TOKEN ...]     # or $RADIXMESH_SOCKET

Without tokens it asks for the prompts of engine.py.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "ipc" / "python"))

import radixmesh  # noqa: E402
from engine import PROMPTS  # noqa: E402


def show(name, tokens, choice):
    print(f"{name} ({len(tokens)} tokens): {choice.reason}")
    for role, node in (("prefill", choice.prefill), ("decode", choice.decode)):
        if node is None:
            print(f"  {role:8} nobody")
        else:
            print(f"  {role:8} {node.addr} (rank {node.rank}), {node.depth} tokens cached there")


def main():
    parser = argparse.ArgumentParser(description="Asks where a prompt should run.")
    parser.add_argument("--socket", help="of the sidecar to ask (default: $RADIXMESH_SOCKET)")
    parser.add_argument("tokens", nargs="*", type=int, metavar="TOKEN")
    options = parser.parse_args()
    prompts = {"this prompt": options.tokens} if options.tokens else PROMPTS
    try:
        with radixmesh.connect(options.socket, timeout=5) as mesh:
            for name, tokens in prompts.items():
                # book=False: we only look; a gateway that sends the request there would book it.
                show(name, tokens, mesh.route(tokens, book=False))
    except radixmesh.RadixMeshError as error:
        sys.exit(f"router: {error}")


if __name__ == "__main__":
    main()
