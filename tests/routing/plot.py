#!/usr/bin/python3
"""Draws what radixmesh_routing wrote with --json: the 99th percentile of the time to first token,
one column for each cell, one mark for each policy, on a logarithmic scale.

    tests/routing/plot.py COMPARISON.json > comparison.svg
"""

import html
import json
import math
import sys

COLUMN, LEFT, TOP, HEIGHT, LEGEND = 30, 60, 20, 330, 190
COLOURS = {
    "cost": "#c1121f",
    "prefix_first": "#8d99ae",
    "round_robin": "#b08968",
    "least_loaded": "#7f5539",
    "two_choices": "#5c677d",
    "prefix_hash": "#577590",
    "prefix_hash_2": "#6d8ba6",
    "prefix_hash_unbound": "#8fa9c0",
    "longest_match": "#43aa8b",
    "smg_cache_aware": "#90be6d",
    "smg_library": "#a7c957",
    "smg_events": "#4d908e",
    "llmd_2_1_1": "#f9c74f",
    "llmd_3_2_2": "#f8961e",
    "llmd_1_1_1": "#f3722c",
    "llmd_gate_2": "#1d5a7a",
    "llmd_gate_5": "#277da1",
    "llmd_gate_18": "#4895ef",
    "dynamo": "#9d4edd",
    "dynamo_half": "#7b2cbf",
    "dynamo_2": "#c77dff",
    "lmetric": "#ff70a6",
    "selective_pushing": "#343a40",
}


def text(x, y, words, anchor="start", size=11):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">'
        f"{html.escape(words)}</text>"
    )


def main(path):
    with open(path, encoding="utf-8") as file:
        cells = json.load(file)
    values = [
        figure["ttft_p99_s"]["mean"] for cell in cells for figure in cell["policies"].values()
    ]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))

    def height_of(value):
        return TOP + HEIGHT * (high - math.log10(value)) / (high - low)

    width = LEFT + COLUMN * len(cells) + LEGEND
    below = max(120, 20 * len(cells[0]["policies"]) - HEIGHT + 20)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{TOP + HEIGHT + below}"'
        ' font-family="sans-serif"><rect width="100%" height="100%" fill="white"/>'
    ]
    for power in range(low, high + 1):
        y = height_of(10**power)
        right = LEFT + COLUMN * len(cells)
        out.append(f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        out.append(text(LEFT - 6, y + 4, f"{10.0**power:g} s", "end"))
    for index, cell in enumerate(cells):
        x = LEFT + COLUMN * (index + 0.5)
        # The project's own last, so that it is on top.
        for policy in reversed(list(cell["policies"])):
            y = height_of(cell["policies"][policy]["ttft_p99_s"]["mean"])
            radius = 5 if policy == "cost" else 3.5
            colour = COLOURS.get(policy, "black")
            out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>')
        name = cell["trace"].split(".")[0].split("_")[0]
        label = f"{name}, {cell['nodes']} nodes, {cell['routers']} r., {cell['load']:g}"
        place = f"translate({x + 4:.1f} {TOP + HEIGHT + 8}) rotate(60)"
        out.append(f'<g transform="{place}">{text(0, 0, label, size=9)}</g>')
    for row, policy in enumerate(cells[0]["policies"]):
        x, y = LEFT + COLUMN * len(cells) + 20, TOP + 20 + 20 * row
        out.append(f'<circle cx="{x}" cy="{y}" r="5" fill="{COLOURS.get(policy, "black")}"/>')
        out.append(text(x + 12, y + 4, policy))
    out.append("</svg>")
    print("\n".join(out))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
