// Nodes that change their state by a command: one, or all of a domain, block or pool at once. What is lost there is requeued.

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
        _ = requeue(on: [NodeStateRun(node: node, nodeCount: 1, state: after)], of: slot, action, at: at)
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
        change.requeued = requeue(on: runs, of: slot, action, at: at)
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

    /// Sends the gangs with a worker on nodes that an action changed back to the queue where they cannot stay, in order of
    /// arrival and each once.
    private mutating func requeue(
        on runs: [NodeStateRun], of slot: PoolSlot, _ action: NodeAction, at: Timestamp
    ) -> [JobNumber] {
        let (states, cause): ([JobState], RequeueCause)
        switch action {
        case .down: (states, cause) = ([.placed, .running, .preempting], .nodeDown)
        // What runs may finish; what has not started loses nothing by going elsewhere now.
        case .drain: (states, cause) = ([.placed], .nodeDraining)
        case .cordon, .uncordon, .up: return []
        }
        var numbers: [JobNumber] = []
        for run in runs { for node in run.nodes { numbers += occupancy.jobs(on: node, of: slot.index) } }
        numbers.sort()
        var requeued: [JobNumber] = []
        for number in numbers where requeued.last != number {
            guard let job = state.jobs[number], states.contains(job.state) else { continue }
            emit(.jobRequeued(number: number, cause: cause), at: at)
            requeued.append(number)
        }
        return requeued
    }
}
