#!/usr/bin/env python3
"""Draws the small instances whose exact optima are the yardstick of the packing core.

    instances.py KIND FIRST LAST --openb DIR      one JSON instance a line, for seeds FIRST to LAST inclusive

KIND is allocation, cost, gangs or topology. DIR holds openb_node_list_gpu_node.csv and openb_pod_list_default.csv (not needed
for gangs and topology). exact.py opens with the format of an instance. Nothing here knows how an instance is solved.

THE DRAW. Everything is an integer, and the same seed gives the same bytes on every machine and in every language.

Generator: SplitMix64 over 64-bit unsigned integers that wrap.
    next():   state += 0x9E3779B97F4A7C15; z = state; z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
              z = (z ^ z >> 27) * 0x94D049BB133111EB; return z ^ z >> 31
    below(n): ((next() >> 32) * n) >> 32                                           one call of next(), n below 2^32
A seed has several instances, since one small instance says little: parts 0 to 3 of allocation, 0 to 9 of the others. Each
starts its own generator at state = (seed * 64 + part) * 256 + k, k = 1 allocation, 2 cost, 3 gangs, 4 topology, and is named
"KIND-SEED-PART". Draws happen in the order of this text.

allocation, cost
  fleet   target = 16 + 2 * below(25) GPUs. While the fleet has fewer: row = below(number of node rows), rows in file order; a row
          with more GPUs than are still wanted is passed over (the next row is drawn); else the node joins the fleet.
  price   of a node per hour = its GPUs * PRICE[model].
  pods    While the GPU milli offered are below P percent of target * 1000 (offered * 100 < P * target * 1000):
          row = below(number of pod rows), rows in file order; a pod that no node of the empty fleet holds is passed over; else it
          arrives next. P = 130 for allocation, 50 for cost. A pod without GPUs offers none but arrives too.
          An empty node holds a pod if its CPU and memory do, it has that many GPUs, and the pod accepts its model.
  Nodes are not sorted: their order is the order of the draw, and ties break on the lowest index.

gangs
  fleet   blocks = 1 + below(2), domains of a block = 2 + below(3), nodes of a domain = 2 + below(3), GPUs of a node = 4 or 8 (4 if
          below(2) is 0); all four are drawn anew until their product is 16 to 64. Nodes are numbered domain by domain, domains
          block by block.
  taken   Node by node: if below(2) is 1, then below(GPUs of a node) of its GPUs are taken by others for good ("gpus" is what is
          left: an operating fleet, where it matters which gap a gang goes to).
  gangs   free = the sum of what is left. While the GPUs offered are below 145 percent of free (offered * 100 < 145 * free): one
          gang is drawn. x = below(1963); its GPUs are the first row of SIZES whose running sum of weights exceeds x. GPUs per
          worker = the lesser of that and the GPUs of a node; workers = GPUs / GPUs per worker. s = below(4): the scope is
          node if there is one worker, else domain for s = 0 or 1, block for s = 2, pool for s = 3. A gang of more than half of
          free (GPUs * 2 > free), or that no place of its scope holds as the fleet is before the first gang, is passed over.

topology
  fleet   as for gangs before anything is taken, but the product is 32 to 128, and then: percent = 50, 80 or 95 for
          part mod 3 = 0, 1, 2; GPUs are taken until taken * 100 >= percent * all: node = below(nodes), n = 1 + below(GPUs of a node); takes n, or what is free if
          that is less.
  CPU     A node has 12000 CPU millis per GPU. Each GPU taken takes 6000 + 500 * below(19) of them, drawn GPU by GPU, or what is
          free if that is less.
  gang    groups = 1 + below(2). Each group in turn: GPUs per worker = 1 << below(3) (at most 4), CPU per worker
          = GPUs per worker * (4000 + 1000 * below(9)), memory 0. Then workers: most = free GPUs of the fleet / GPUs per worker
          / groups, and workers = 1 + below(max(1, most * 2 / 3)).
          The scope is pool. Whether it fits at all is for the solver to say (status "infeasible").
"""

import argparse
import csv
import json
import os
import sys

# Micro-USD per GPU and hour. Illustrative: of the order of public list prices in 2024; G2 and G3 are anonymous newer cards.
PRICE = {
    "P100": 900_000,
    "T4": 400_000,
    "V100M16": 1_600_000,
    "V100M32": 2_000_000,
    "A10": 1_000_000,
    "G2": 1_200_000,
    "G3": 2_800_000,
}
KINDS = ["allocation", "cost", "gangs", "topology"]
PARTS = {"allocation": 4, "cost": 10, "gangs": 10, "topology": 10}
OFFERED_PERCENT = {"allocation": 130, "cost": 50, "gangs": 145}
# (weight, GPUs of a gang): how often jobs of at most 1, 2, 4, 8, 16, 32 GPUs come, per mille of the Seren and of the Kalos
# cluster added up (Acme trace, Shanghai AI Lab, CC-BY-4.0). Jobs of Kalos beyond 64 GPUs count as a sixteenth of their size; what is
# larger still is left out.
SIZES = [(1403, 1), (135, 2), (25, 4), (347, 8), (28, 16), (25, 32)]
WORD = (1 << 64) - 1


class SplitMix64:
    """Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014."""

    def __init__(self, state):
        self.state = state & WORD

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & WORD
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
        return z ^ (z >> 31)

    def below(self, bound):
        return ((self.next() >> 32) * bound) >> 32


class Traces:
    def __init__(self, openb):
        read = lambda folder, name: list(csv.DictReader(open(os.path.join(folder, name))))
        self.nodes = [
            {
                "cpuMillis": int(row["cpu_milli"]),
                "memoryMiB": int(row["memory_mib"]),
                "gpus": int(row["gpu"]),
                "model": row["model"],
                "priceMicroUSDPerHour": int(row["gpu"]) * PRICE[row["model"]],
            }
            for row in read(openb, "openb_node_list_gpu_node.csv")
        ]
        self.pods = [
            {
                "cpuMillis": int(row["cpu_milli"]),
                "memoryMiB": int(row["memory_mib"]),
                "gpus": int(row["num_gpu"]),
                "gpuMilli": int(row["gpu_milli"]) if int(row["num_gpu"]) else 0,
                "models": [word for word in row["gpu_spec"].split("|") if word],
            }
            for row in read(openb, "openb_pod_list_default.csv")
        ]


def holds(node, pod):
    return (
        node["cpuMillis"] >= pod["cpuMillis"]
        and node["memoryMiB"] >= pod["memoryMiB"]
        and node["gpus"] >= pod["gpus"]
        and (not pod["models"] or node["model"] in pod["models"])
    )


def generator(kind, seed, part):
    return SplitMix64((seed * 64 + part) * 256 + KINDS.index(kind) + 1)


def fleet_and_pods(kind, draw, traces):
    target = 16 + 2 * draw.below(25)
    nodes, gpus = [], 0
    while gpus < target:
        node = traces.nodes[draw.below(len(traces.nodes))]
        if gpus + node["gpus"] <= target:
            nodes.append(node)
            gpus += node["gpus"]
    pods, offered = [], 0
    while offered * 100 < OFFERED_PERCENT[kind] * target * 1000:
        pod = traces.pods[draw.below(len(traces.pods))]
        if any(holds(node, pod) for node in nodes):
            pods.append(pod)
            offered += pod["gpus"] * pod["gpuMilli"]
    return {"nodes": nodes, "pods": pods}


def layout(draw, least, most):
    """Blocks, domains of a block, nodes of a domain, GPUs of a node."""
    while True:
        blocks, domains, nodes = 1 + draw.below(2), 2 + draw.below(3), 2 + draw.below(3)
        gpus = 4 if draw.below(2) == 0 else 8
        if least <= blocks * domains * nodes * gpus <= most:
            return blocks, domains, nodes, gpus


def places(shape):
    blocks, domains, nodes, gpus = shape
    return [
        {"gpus": gpus, "domain": block * domains + domain, "block": block}
        for block in range(blocks)
        for domain in range(domains)
        for _ in range(nodes)
    ]


def slots(nodes, scope, per):
    """The most workers of so many GPUs that one place of the scope holds."""
    held = {}
    for index, node in enumerate(nodes):
        place = {"node": index, "domain": node["domain"], "block": node["block"], "pool": 0}[scope]
        held[place] = held.get(place, 0) + node["gpus"] // per
    return max(held.values())


def gangs(draw):
    shape = layout(draw, 16, 64)
    nodes = places(shape)
    per_node = shape[3]
    for node in nodes:
        if draw.below(2) == 1:
            node["gpus"] -= draw.below(per_node)
    free = sum(node["gpus"] for node in nodes)
    drawn, offered = [], 0
    while offered * 100 < OFFERED_PERCENT["gangs"] * free:
        x = draw.below(sum(weight for weight, _ in SIZES))
        for weight, size in SIZES:
            if x < weight:
                break
            x -= weight
        per = min(size, per_node)
        workers = size // per
        at = draw.below(4)
        scope = "node" if workers == 1 else ["domain", "domain", "block", "pool"][at]
        if size * 2 <= free and slots(nodes, scope, per) >= workers:
            drawn.append({"workers": workers, "gpusPerWorker": per, "scope": scope})
            offered += size
    return {"nodes": nodes, "gangs": drawn}


def topology(draw, percent):
    shape = layout(draw, 32, 128)
    per_node = shape[3]
    nodes = [
        {
            "freeGPUs": place["gpus"],
            "freeCPUMillis": 12000 * per_node,
            "freeMemoryMiB": 0,
            "domain": place["domain"],
            "block": place["block"],
        }
        for place in places(shape)
    ]
    total, taken = len(nodes) * per_node, 0
    while taken * 100 < percent * total:
        node = nodes[draw.below(len(nodes))]
        count = min(1 + draw.below(per_node), node["freeGPUs"])
        node["freeGPUs"] -= count
        taken += count
        for _ in range(count):
            node["freeCPUMillis"] -= min(6000 + 500 * draw.below(19), node["freeCPUMillis"])
    groups = []
    count = 1 + draw.below(2)
    for _ in range(count):
        per = 1 << draw.below(3)
        cpu = per * (4000 + 1000 * draw.below(9))
        most = (total - taken) // per // count
        workers = 1 + draw.below(max(1, most * 2 // 3))
        groups.append(
            {"workers": workers, "gpusPerWorker": per, "cpuMillisPerWorker": cpu, "memoryMiBPerWorker": 0}
        )
    return {"nodes": nodes, "gang": {"scope": "pool", "groups": groups}}


def instance(kind, seed, part, traces):
    draw = generator(kind, seed, part)
    if kind == "gangs":
        drawn = gangs(draw)
    elif kind == "topology":
        drawn = topology(draw, [50, 80, 95][part % 3])
    else:
        drawn = fleet_and_pods(kind, draw, traces)
    return {"kind": kind, "id": f"{kind}-{seed}-{part}", **drawn}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("kind", choices=KINDS)
    arguments.add_argument("first", type=int)
    arguments.add_argument("last", type=int)
    arguments.add_argument("--openb")
    chosen = arguments.parse_args()
    traces = None
    if chosen.kind in ("allocation", "cost"):
        if not chosen.openb:
            arguments.error("--openb is needed")
        traces = Traces(chosen.openb)
    for seed in range(chosen.first, chosen.last + 1):
        for part in range(PARTS[chosen.kind]):
            print(json.dumps(instance(chosen.kind, seed, part, traces), separators=(",", ":")))


if __name__ == "__main__":
    sys.exit(main())
