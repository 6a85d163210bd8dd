#!/usr/bin/env python3
"""The most that a packer can reach that takes gangs as they come: the yardstick of on-line packing beside exact.py.

    online.py      reads instances of kind gangs, one a line (exact.py opens with their format), from standard input

Answers each with one line, in order: {"id": .., "any": .., "close": ..}
    any     the most GPUs of gangs that stand in the end, where each gang that fits somewhere in its scope when it comes is taken,
            whichever place it gets: by trying every place for every gang, with all that comes later known. No packer that
            refuses nothing which fits places more, whatever it may learn or guess.
    close   the same where a gang also goes to the smallest tier that holds it and there to the fewest domains that do, as Berth
            places it: it may choose among equally close places only.
The optimum of exact.py is above both, for it may refuse a gang that fits to keep the room for one that comes later.

Places that differ only in the names of nodes, domains or blocks are one place, so few states need be looked at. Exit 2: a line
is no such instance.
"""

import functools
import itertools
import json
import sys


class Fleet:
    """A state is a sorted tuple of blocks, each a sorted tuple of domains, each a sorted tuple of its nodes' free GPUs."""

    def __init__(self, instance):
        blocks = {}
        for node in instance["nodes"]:
            blocks.setdefault(node["block"], {}).setdefault(node["domain"], []).append(node["gpus"])
        self.start = self.sort([[tuple(sorted(domain)) for domain in block.values()] for block in blocks.values()])

    @staticmethod
    def sort(blocks):
        return tuple(sorted(tuple(sorted(block)) for block in blocks))


def free(state):
    return sum(sum(domain) for block in state for domain in block)


@functools.lru_cache(maxsize=None)
def after(domain, workers, per):
    """What may be left of a domain that holds so many workers of `per` GPUs; in each node any count of them."""
    if workers == 0:
        return frozenset([domain])
    left = set()
    for at, gpus in enumerate(domain):
        if gpus >= per and gpus not in domain[:at]:
            rest = tuple(sorted(domain[:at] + (gpus - per,) + domain[at + 1:]))
            left |= after(rest, workers - 1, per)
    return frozenset(left)


def room(domain, per):
    return sum(gpus // per for gpus in domain)


def fewest(rooms, workers):
    """How many places of such rooms hold the workers; None where all together do not."""
    count = 0
    for count, most in enumerate(sorted(rooms, reverse=True), 1):
        workers -= most
        if workers <= 0:
            return count
    return None


def split(domains, workers, per, most):
    """What may be left of some domains that hold the workers, at most so many of them touched."""
    if workers == 0:
        yield domains
        return
    if not domains or most == 0:
        return
    first, rest = domains[0], domains[1:]
    for count in range(min(workers, room(first, per)), -1, -1):
        if sum(room(domain, per) for domain in rest) < workers - count:
            break
        for tail in split(rest, workers - count, per, most - (count > 0)):
            for head in after(first, count, per):
                yield (head,) + tail


def nexts(state, gang, is_close):
    """The states that a gang may leave; none where it fits nowhere."""
    workers, per, scope = gang["workers"], gang["gpusPerWorker"], gang["scope"]
    found = set()
    every = [(at, to) for at, block in enumerate(state) for to in range(len(block))]

    def put(places, most):
        domains = tuple(state[at][to] for at, to in places)
        for left in split(domains, workers, per, most):
            blocks = [list(block) for block in state]
            for (at, to), domain in zip(places, left):
                blocks[at][to] = domain
            found.add(Fleet.sort(blocks))

    def put_in(groups):
        """In one of some groups of domains, the one that holds it in the fewest domains if it is to stand close."""
        counts = [fewest([room(state[at][to], per) for at, to in group], workers) for group in groups]
        held = [count for count in counts if count is not None]
        for group, count in zip(groups, counts):
            if count is not None and (not is_close or count == min(held)):
                put(group, count if is_close else len(group))

    if workers == 1:
        put_in([[place] for place in every])
        return found
    tiers = {
        "domain": [[place] for place in every],
        "block": [list(group) for _, group in itertools.groupby(every, key=lambda place: place[0])],
        "pool": [every],
    }
    for tier, groups in tiers.items():
        if is_close or tier == scope:
            put_in(groups)
        if found or tier == scope:
            return found
    return found


def most_placed(instance, is_close):
    fleet, gangs = Fleet(instance), instance["gangs"]
    largest = max(node["gpus"] for node in instance["nodes"])
    if any(gang["workers"] > 1 and (gang["scope"] == "node" or gang["gpusPerWorker"] * 2 <= largest) for gang in gangs):
        raise ValueError("a gang of several workers must need several nodes")
    total = free(fleet.start)
    sizes = [gang["workers"] * gang["gpusPerWorker"] for gang in gangs]
    to_come = [sum(sizes[at:]) for at in range(len(gangs) + 1)]
    best = 0
    seen = [set() for _ in range(len(gangs) + 1)]
    stack = [(0, fleet.start)]
    while stack and best < total:
        at, state = stack.pop()
        placed = total - free(state)
        best = max(best, placed)
        if at == len(gangs) or placed + to_come[at] <= best:
            continue
        after_it = nexts(state, gangs[at], is_close) or {state}
        # The least even first: it is the likeliest to let all others in.
        for state in sorted(after_it, key=lambda blocks: (sum(n * n for b in blocks for d in b for n in d), blocks)):
            if state not in seen[at + 1]:
                seen[at + 1].add(state)
                stack.append((at + 1, state))
    return best


def main():
    for number, line in enumerate(sys.stdin, 1):
        if not line.strip():
            continue
        try:
            instance = json.loads(line)
            answer = {"id": instance["id"]}
            for name, is_close in (("any", False), ("close", True)):
                answer[name] = most_placed(instance, is_close)
                after.cache_clear()
        except (ValueError, KeyError, TypeError, IndexError) as fault:
            print(f"online.py: line {number}: {type(fault).__name__}: {fault}", file=sys.stderr)
            return 2
        print(json.dumps(answer, separators=(",", ":")), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
