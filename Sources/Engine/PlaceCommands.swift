// Nodes that change their state by a command: one, or all of a domain, block or pool at once. What is lost there is repaired or requeued.

import Model

extension Engine {
    mutating func changeNode(_ name: String, of pool: String, _ action: NodeAction, at: Timestamp) -> Outcome {
        guard let slot = state.slot(named: pool) else { return .refused(.poolNotFound(name: pool)) }
        guard let node = state[slot].layout.node(named: name) else {
            return .refused(.nodeNotFound(pool: pool, node: name))
        }
        let before = state[slot].nodeStates[node]
        guard let after = before.after(action) else {
            return .refused(.illegalNodeTransition(node: pool + "/" + name, state: before, action: action))
        }
        if after == before { return .node(slot, node: node, after) }
        emit(.nodeChanged(slot: slot, node: node, state: after), at: at)
        _ = settleLosses(on: [NodeStateRun(node: node, nodeCount: 1, state: after)], of: slot, action, at: at)
        schedule(at: at)
        return .node(slot, node: node, after)
    }

    /// Nodes to which the action does not apply stay as they are: a place is drained though some of it is down.
    mutating func changePlace(_ place: PoolPlace, of pool: String, _ action: NodeAction, at: Timestamp) -> Outcome {
        guard let slot = state.slot(named: pool) else { return .refused(.poolNotFound(name: pool)) }
        guard let nodes = state[slot].layout.nodes(of: place) else {
            return .refused(.placeNotFound(pool: pool, place: place))
        }
        var change = PlaceChange(pool: slot, place: place, nodes: nodes)
        let runs = changes(of: nodes, of: slot, by: action)
        if runs.isEmpty { return .place(change) }
        emit(.nodesChanged(slot: slot, runs: runs), at: at)
        change.changedNodes = runs.reduce(0) { $0 + $1.nodeCount }
        (change.requeued, change.repairing) = settleLosses(on: runs, of: slot, action, at: at)
        schedule(at: at)
        return .place(change)
    }

    /// The nodes that an action changes, and to what: as few runs as there can be.
    private func changes(of nodes: Range<Int>, of slot: PoolSlot, by action: NodeAction) -> [NodeStateRun] {
        let states = state[slot].nodeStates
        var runs: [NodeStateRun] = []
        for node in nodes {
            guard let after = states[node].after(action), after != states[node] else { continue }
            if let last = runs.last, last.nodes.upperBound == node, last.state == after {
                runs[runs.count - 1].nodeCount += 1
            } else {
                runs.append(NodeStateRun(node: node, nodeCount: 1, state: after))
            }
        }
        return runs
    }

    /// What becomes of the gangs with a worker on nodes that an action changed, in order of arrival: the jobs that go back to the
    /// queue, and those for whose lost workers others are sought.
    private mutating func settleLosses(
        on runs: [NodeStateRun], of slot: PoolSlot, _ action: NodeAction, at: Timestamp
    ) -> (requeued: [JobNumber], repairing: [JobNumber]) {
        var (requeued, repairing): ([JobNumber], [JobNumber]) = ([], [])
        if action != .down && action != .drain { return (requeued, repairing) }
        var numbers: [JobNumber] = []
        for run in runs { for node in run.nodes { numbers += occupancy.jobs(on: node, of: slot.index) } }
        numbers.sort()
        var last: JobNumber?
        for number in numbers where number != last {
            last = number
            guard let job = state.jobs[number] else { continue }
            let fact: Fact?
            if action == .down {
                fact = loss(of: job, at: at)
            } else {
                // What runs may finish; what has not started loses nothing by going elsewhere now.
                fact = job.state == .placed ? .jobRequeued(number: number, cause: .nodeDraining) : nil
            }
            guard let fact else { continue }
            emit(fact, at: at)
            if case .jobRequeued = fact { requeued.append(number) } else { repairing.append(number) }
        }
        return (requeued, repairing)
    }
}
