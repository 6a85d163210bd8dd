#!/usr/bin/env python3
"""Solves small packing instances exactly with OR-tools CP-SAT: the yardstick of the packing core.

    exact.py [--seconds 10] [--workers 8] [--placements]

Reads one instance a line (JSON) from standard input and answers each with one line at once, in order. It owns the exact models
and the meaning of a gap; it knows no heuristic and draws nothing (instances.py does). Exit 3: OR-tools is not installed
(python3 -m pip install ortools); exit 2: a line is no instance (the line's number is on standard error).

ANSWER
    {"id": .., "kind": .., "status": .., "value": .., "bound": .., "seconds": ..}
    status    "optimal": value is the optimum and equals bound. "feasible": the time ran out; value was reached and the optimum
              lies between value and bound. "infeasible": there is no solution. "unknown": none was found in time.
    value     null where there is no solution at hand. bound: null where infeasible.
    seconds   of the solver, rounded to thousandths.
    With --placements also "placement": allocation and cost: per pod [node, [GPUs]] or null; gangs: per gang the workers' nodes
    or null; topology: per group the workers' nodes. Every solution is checked against the instance before it is printed.

GAP   of a packing of ours against an answer, never negative:
    allocation, gangs   (bound - ours) / bound        of GPU milli, of GPUs
    cost, topology      (ours - bound) / bound        of the price of used nodes, of domains touched
    against bound, not value: where the optimum is not proven, the gap is the largest that it can be. The gap of a class of
    instances is the mean of their gaps. Where ours left a pod of a cost instance without a place, or a gang that fits, that
    instance has no gap and counts as failed; an "infeasible" instance (no packing at all exists) is left out of everything.

INSTANCES   every field without a note is required; integers only. "kind" and "id" in each.
    allocation  {"nodes": [{"cpuMillis", "memoryMiB", "gpus", "model", "priceMicroUSDPerHour" (optional)}],
                 "pods": [{"cpuMillis", "memoryMiB", "gpus", "gpuMilli", "models"}]}
                A GPU has 1000 milli. A pod takes gpuMilli of each of its gpus GPUs of one node: gpuMilli is 1000, or below with
                gpus 1, or 0 with gpus 0. models: where it may stand; empty means anywhere.
                The optimum is the most GPU milli of any subset of the pods, in any order: it may leave out pods that come early,
                and those without GPUs, so no on-line rule reaches it.
    cost        the same, prices required. All pods are placed; the optimum is the least sum of the prices of nodes in use.
    gangs       {"nodes": [{"gpus", "domain", "block"}], "gangs": [{"workers", "gpusPerWorker", "scope"}]}
                domain and block are numbers of the whole fleet; a domain lies in one block. scope: node, domain, block or pool (all
                nodes) must hold the whole gang. The optimum is the most GPUs of any subset of gangs, each whole or absent.
    topology    {"nodes": [{"freeGPUs", "freeCPUMillis", "freeMemoryMiB", "domain", "block"}],
                 "gang": {"scope", "groups": [{"workers", "gpusPerWorker", "cpuMillisPerWorker", "memoryMiBPerWorker"}]}}
                The optimum is the least number of domains that the whole gang can touch within its scope. CPU and memory of node
                and group may be absent (0 needed).
"""

import argparse
import collections
import json
import sys

SHARE_OF = 1000


class Wrong(Exception):
    """The line is no instance, or a solution is none: both are faults that must be seen."""


def runs(keys):
    """Neighbours of equal key when sorted: lists of indexes, each list of interchangeable things."""
    groups = collections.defaultdict(list)
    for index, key in enumerate(keys):
        groups[key].append(index)
    return list(groups.values())


def gpu_patterns(counts):
    """The maximal ways to fill one GPU with shares. counts: share -> how many there are. Each is {share: how many}."""
    shares = sorted(counts, reverse=True)
    found = []

    def extend(at, left, chosen):
        if at == len(shares):
            if all(left < share or chosen.get(share, 0) == counts[share] for share in shares):
                found.append(dict(chosen))
            return
        share = shares[at]
        for count in range(min(left // share, counts[share]), -1, -1):
            if count:
                chosen[share] = count
            extend(at + 1, left - count * share, chosen)
            chosen.pop(share, None)

    extend(0, SHARE_OF, {})
    return [pattern for pattern in found if pattern]


class Packing:
    """Counts of pods of each kind by node, and GPUs by how shares fill them: equal pods and equal GPUs are interchangeable by
    construction, equal nodes are put in order of their CPU in use."""

    def __init__(self, cp_model, instance, with_cpu_pods):
        self.nodes, self.pods = instance["nodes"], instance["pods"]
        model = self.model = cp_model.CpModel()
        wanted = [i for i, pod in enumerate(self.pods) if pod["gpus"] or with_cpu_pods]
        key = lambda i: (
            self.pods[i]["cpuMillis"], self.pods[i]["memoryMiB"], self.pods[i]["gpus"], self.pods[i]["gpuMilli"],
            tuple(sorted(self.pods[i]["models"])),
        )
        self.kinds = [[wanted[i] for i in run] for run in runs([key(i) for i in wanted])]
        # Kinds sorted by what is hard to place: it is the order in which solutions are read, no more.
        self.kinds.sort(key=lambda kind: (-self.gpu_milli(kind), key(kind[0])))
        shares = collections.Counter()
        for kind in self.kinds:
            pod = self.pods[kind[0]]
            if 0 < pod["gpuMilli"] < SHARE_OF:
                shares[pod["gpuMilli"]] += len(kind)
        self.patterns = gpu_patterns(shares)
        self.count = [[self.place(node, kind) for kind in self.kinds] for node in self.nodes]
        self.filled = []
        self.open = [model.new_bool_var("") for _ in self.nodes]
        for index, node in enumerate(self.nodes):
            self.add_node(index, node, sorted(shares))
        for run in runs([
            (n["cpuMillis"], n["memoryMiB"], n["gpus"], n["model"], n.get("priceMicroUSDPerHour", 0)) for n in self.nodes
        ]):
            for first, second in zip(run, run[1:]):
                model.add(self.use(first, "cpuMillis") >= self.use(second, "cpuMillis"))
                model.add_implication(self.open[second], self.open[first])

    def gpu_milli(self, kind):
        return self.pods[kind[0]]["gpus"] * self.pods[kind[0]]["gpuMilli"]

    def place(self, node, kind):
        pod = self.pods[kind[0]]
        if pod["models"] and node["model"] not in pod["models"]:
            return 0
        most = len(kind)
        for has, takes in ((node["cpuMillis"], pod["cpuMillis"]), (node["memoryMiB"], pod["memoryMiB"])):
            if takes:
                most = min(most, has // takes)
        if pod["gpus"]:
            most = min(most, node["gpus"] * SHARE_OF // pod["gpuMilli"] // pod["gpus"])
        return self.model.new_int_var(0, most, "") if most else 0

    def use(self, node, what):
        return sum(x * self.pods[kind[0]][what] for x, kind in zip(self.count[node], self.kinds))

    def add_node(self, index, node, shares):
        model, opened = self.model, self.open[index]
        for what in ("cpuMillis", "memoryMiB"):
            model.add(self.use(index, what) <= node[what] * opened)
        whole = sum(
            x * self.pods[kind[0]]["gpus"]
            for x, kind in zip(self.count[index], self.kinds) if self.pods[kind[0]]["gpuMilli"] == SHARE_OF
        )
        most = node["gpus"]
        fills = [model.new_int_var(0, most, "") for _ in self.patterns]
        self.filled.append(fills)
        model.add(whole + sum(fills) <= most * opened)
        for share in shares:
            model.add(
                sum(fill * pattern.get(share, 0) for fill, pattern in zip(fills, self.patterns))
                >= sum(
                    x for x, kind in zip(self.count[index], self.kinds) if self.pods[kind[0]]["gpuMilli"] == share
                )
            )
        # Implied: the sum over GPUs, which the relaxation sees better.
        model.add(
            sum(x * self.gpu_milli(kind) for x, kind in zip(self.count[index], self.kinds)) <= most * SHARE_OF * opened
        )

    def placement(self, solver):
        """Per pod (node, GPUs) or None."""
        read = lambda variable: 0 if isinstance(variable, int) else solver.value(variable)
        answer = [None] * len(self.pods)
        left = [list(kind) for kind in self.kinds]
        for node, counts in enumerate(self.count):
            gpu = 0
            room = []
            for fill, pattern in zip(self.filled[node], self.patterns):
                for _ in range(read(fill)):
                    room.append((gpu, collections.Counter(pattern)))
                    gpu += 1
            for at, x in enumerate(counts):
                for _ in range(read(x)):
                    pod = left[at].pop()
                    takes = self.pods[pod]
                    if takes["gpuMilli"] == SHARE_OF:
                        answer[pod] = (node, list(range(gpu, gpu + takes["gpus"])))
                        gpu += takes["gpus"]
                    elif takes["gpus"]:
                        which, slots = next(entry for entry in room if entry[1][takes["gpuMilli"]])
                        slots[takes["gpuMilli"]] -= 1
                        answer[pod] = (node, [which])
                    else:
                        answer[pod] = (node, [])
        return answer


def check_packing(instance, placement):
    """GPU milli placed and price of used nodes. Throws where a node or GPU is overfull."""
    cpu, memory, gpus = collections.Counter(), collections.Counter(), collections.Counter()
    for pod, place in zip(instance["pods"], placement):
        if place is None:
            continue
        node, which = place
        cpu[node] += pod["cpuMillis"]
        memory[node] += pod["memoryMiB"]
        if len(set(which)) != pod["gpus"] or any(not 0 <= gpu < instance["nodes"][node]["gpus"] for gpu in which):
            raise Wrong("a pod has other GPUs than it needs")
        if pod["models"] and instance["nodes"][node]["model"] not in pod["models"]:
            raise Wrong("a pod stands on a model that it does not accept")
        for gpu in which:
            gpus[node, gpu] += pod["gpuMilli"]
    for node in cpu:
        if cpu[node] > instance["nodes"][node]["cpuMillis"] or memory[node] > instance["nodes"][node]["memoryMiB"]:
            raise Wrong(f"node {node} is overfull")
    if any(milli > SHARE_OF for milli in gpus.values()):
        raise Wrong("a GPU is overfull")
    return sum(gpus.values()), sum(instance["nodes"][node].get("priceMicroUSDPerHour", 0) for node in cpu)


def allocation(cp_model, instance, solve):
    packing = Packing(cp_model, instance, with_cpu_pods=False)
    for at, kind in enumerate(packing.kinds):
        packing.model.add(sum(counts[at] for counts in packing.count) <= len(kind))
    packing.model.maximize(
        sum(x * packing.gpu_milli(kind) for counts in packing.count for x, kind in zip(counts, packing.kinds))
    )
    return solve(
        packing.model, packing.placement, lambda placement: check_packing(instance, placement)[0],
    )


def cost(cp_model, instance, solve):
    packing = Packing(cp_model, instance, with_cpu_pods=True)
    model, nodes, pods = packing.model, packing.nodes, packing.pods
    for at, kind in enumerate(packing.kinds):
        model.add(sum(counts[at] for counts in packing.count) == len(kind))
    # Implied: what is open holds the sum of everything.
    for has, takes in (("cpuMillis", "cpuMillis"), ("memoryMiB", "memoryMiB")):
        model.add(sum(o * n[has] for o, n in zip(packing.open, nodes)) >= sum(pod[takes] for pod in pods))
    model.add(
        SHARE_OF * sum(o * n["gpus"] for o, n in zip(packing.open, nodes)) >= sum(p["gpus"] * p["gpuMilli"] for p in pods)
    )
    model.minimize(sum(o * n["priceMicroUSDPerHour"] for o, n in zip(packing.open, nodes)))

    def check(placement):
        if None in placement:
            raise Wrong("a pod has no place")
        return check_packing(instance, placement)[1]

    return solve(model, packing.placement, check)


def places_of(nodes, scope):
    """The places of a tier, each a list of nodes."""
    if scope == "node":
        return [[index] for index in range(len(nodes))]
    if scope == "pool":
        return [list(range(len(nodes)))]
    if scope not in ("domain", "block"):
        raise Wrong(f"no scope: {scope}")
    return runs([node[scope] for node in nodes])


def gangs(cp_model, instance, solve):
    """Counts of gangs of each kind by place, and of the workers of a kind by node and place."""
    nodes, all_gangs = instance["nodes"], instance["gangs"]
    model = cp_model.CpModel()
    kinds = runs([(gang["workers"], gang["gpusPerWorker"], gang["scope"]) for gang in all_gangs])
    used = collections.defaultdict(list)
    chosen = []
    for kind in kinds:
        gang = all_gangs[kind[0]]
        size, per = gang["workers"], gang["gpusPerWorker"]
        here = []
        for place in places_of(nodes, gang["scope"]):
            count = model.new_int_var(0, len(kind), "")
            # Several gangs in one place are one bag of workers: any split of the bag is as good.
            workers = {node: model.new_int_var(0, nodes[node]["gpus"] // per, "") for node in place}
            model.add(sum(workers.values()) == count * size)
            for node, variable in workers.items():
                used[node].append(variable * per)
            here.append((count, workers))
        model.add(sum(count for count, _ in here) <= len(kind))
        chosen.append(here)
    for node, terms in used.items():
        model.add(sum(terms) <= nodes[node]["gpus"])
    for domain in places_of(nodes, "domain"):
        for run in runs([nodes[node]["gpus"] for node in domain]):
            for first, second in zip(run, run[1:]):
                model.add(sum(used[domain[first]]) >= sum(used[domain[second]]))
    model.maximize(sum(
        count * all_gangs[kind[0]]["workers"] * all_gangs[kind[0]]["gpusPerWorker"]
        for kind, here in zip(kinds, chosen) for count, _ in here
    ))

    def read(solver):
        answer = [None] * len(all_gangs)
        for kind, here in zip(kinds, chosen):
            left = list(kind)
            for count, workers in here:
                bag = [node for node, variable in workers.items() for _ in range(solver.value(variable))]
                for _ in range(solver.value(count)):
                    size = all_gangs[kind[0]]["workers"]
                    answer[left.pop()] = bag[:size]
                    bag = bag[size:]
        return answer

    def check(placement):
        taken = collections.Counter()
        for gang, where in zip(all_gangs, placement):
            if where is None:
                continue
            if len(where) != gang["workers"] or not any(
                set(where) <= set(place) for place in places_of(nodes, gang["scope"])
            ):
                raise Wrong("a gang is not whole or leaves its scope")
            for node in where:
                taken[node] += gang["gpusPerWorker"]
        if any(count > nodes[node]["gpus"] for node, count in taken.items()):
            raise Wrong("a node is overfull")
        return sum(taken.values())

    return solve(model, read, check)


def topology(cp_model, instance, solve):
    nodes, gang = instance["nodes"], instance["gang"]
    model = cp_model.CpModel()
    parts = (
        ("freeGPUs", "gpusPerWorker"), ("freeCPUMillis", "cpuMillisPerWorker"), ("freeMemoryMiB", "memoryMiBPerWorker"),
    )
    touched = {node["domain"]: model.new_bool_var("") for node in nodes}
    counts = []
    for group in gang["groups"]:
        row = []
        for node in nodes:
            most = min(
                [group["workers"]]
                + [node.get(has, 0) // group[takes] for has, takes in parts if group.get(takes, 0)]
            )
            variable = model.new_int_var(0, most, "")
            model.add(variable <= most * touched[node["domain"]])
            row.append(variable)
        model.add(sum(row) == group["workers"])
        counts.append(row)
    for index, node in enumerate(nodes):
        for has, takes in parts:
            model.add(
                sum(row[index] * group.get(takes, 0) for row, group in zip(counts, gang["groups"])) <= node.get(has, 0)
            )
    places = places_of(nodes, gang["scope"])
    if len(places) > 1:
        inside = [model.new_bool_var("") for _ in places]
        model.add_exactly_one(inside)
        for place, here in zip(places, inside):
            for node in place:
                for row in counts:
                    model.add(row[node] == 0).only_enforce_if(~here)
    model.minimize(sum(touched.values()))

    def read(solver):
        return [[node for node, variable in enumerate(row) for _ in range(solver.value(variable))] for row in counts]

    def check(placement):
        taken = collections.Counter()
        for group, where in zip(gang["groups"], placement):
            if len(where) != group["workers"]:
                raise Wrong("a gang is not whole")
            for node in where:
                for has, takes in parts:
                    taken[node, has] += group.get(takes, 0)
        if any(count > nodes[node].get(has, 0) for (node, has), count in taken.items()):
            raise Wrong("a node is overfull")
        every = {node for where in placement for node in where}
        if not any(every <= set(place) for place in places):
            raise Wrong("a gang leaves its scope")
        return len({nodes[node]["domain"] for node in every})

    return solve(model, read, check)


MODELS = {"allocation": allocation, "cost": cost, "gangs": gangs, "topology": topology}


def answer(cp_model, instance, chosen):
    def solve(model, read, check):
        solver = cp_model.CpSolver()
        solver.parameters.max_time_in_seconds = chosen.seconds
        solver.parameters.num_workers = chosen.workers
        solver.parameters.random_seed = 0
        status = solver.solve(model)
        result = {
            "id": instance["id"], "kind": instance["kind"], "status": "unknown", "value": None, "bound": None,
            "seconds": round(solver.wall_time, 3),
        }
        if status == cp_model.MODEL_INVALID:
            raise Wrong(model.validate())
        if status == cp_model.INFEASIBLE:
            result["status"] = "infeasible"
            return result
        result["bound"] = round(solver.best_objective_bound)
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            placement = read(solver)
            result["status"] = "optimal" if status == cp_model.OPTIMAL else "feasible"
            result["value"] = check(placement)
            if result["value"] != round(solver.objective_value):
                raise Wrong(f"a solution of {result['value']} was taken for {solver.objective_value}")
            if chosen.placements:
                result["placement"] = placement
        return result

    return MODELS[instance["kind"]](cp_model, instance, solve)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=float, default=10, help="for one instance")
    arguments.add_argument("--workers", type=int, default=8, help="threads of the solver, each with its own strategy")
    arguments.add_argument("--placements", action="store_true")
    chosen = arguments.parse_args()
    try:
        from ortools.sat.python import cp_model
    except ImportError:
        print("exact.py: OR-tools is not installed: python3 -m pip install ortools", file=sys.stderr)
        return 3
    for number, line in enumerate(sys.stdin, 1):
        if not line.strip():
            continue
        try:
            instance = json.loads(line)
            if instance["kind"] not in MODELS:
                raise Wrong(f"no kind: {instance['kind']}")
            result = answer(cp_model, instance, chosen)
        except (ValueError, KeyError, TypeError, IndexError, Wrong) as fault:
            print(f"exact.py: line {number}: {type(fault).__name__}: {fault}", file=sys.stderr)
            return 2
        print(json.dumps(result, separators=(",", ":")), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
