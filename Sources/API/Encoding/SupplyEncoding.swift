// Pools, nodes and the fleet as the API shows them.

import Engine
import JSON
import Model

extension JSONWriter {
    mutating func pool(_ pool: PoolRecord) {
        object { writer in
            let spec = pool.spec
            writer.member("name", spec.name)
            writer.member("provider", spec.provider)
            writer.member("region", spec.region)
            writer.member("accelerator", spec.accelerator)
            if !spec.instanceType.isEmpty { writer.member("instanceType", spec.instanceType) }
            writer.member("revision", pool.revision)
            writer.key("node")
            writer.object { writer in
                writer.member("gpus", spec.node.gpus)
                writer.member("cpuMillis", spec.node.cpuMillis)
                writer.member("memoryMiB", spec.node.memoryMiB)
            }
            switch spec.topology {
            case .counts(let blocks, let domainsPerBlock, let nodesPerDomain, let cliquesPerDomain):
                writer.key("topology")
                writer.object { writer in
                    writer.member("blocks", blocks)
                    writer.member("domainsPerBlock", domainsPerBlock)
                    writer.member("nodesPerDomain", nodesPerDomain)
                    if cliquesPerDomain > 1 { writer.member("cliquesPerDomain", cliquesPerDomain) }
                }
            case .nodes: writer.member("nodesListed", true)
            }
            writer.member("allowsGPUShares", spec.allowsGPUShares)
            writer.member("sparesPerDomain", spec.sparesPerDomain)
            if !spec.reservation.isEmpty { writer.member("reservation", spec.reservation) }
            writer.field("purchase", text: spec.purchase.word)
            writer.field("billing", text: spec.billing.word)
            writer.member("priceUSDPerGPUHour", decimalString(micros: spec.priceMicroUSDPerGPUHour))
            if !spec.labels.isEmpty { writer.member("labels", spec.labels) }
            writer.member("blockCount", pool.layout.blockCount)
            writer.member("domainCount", pool.layout.domainCount)
            writer.member("nodeCount", pool.layout.nodeCount)
            writer.member("gpus", spec.gpuCount)
            writer.member("gpusAllocated", pool.gpusAllocated)
            writer.member("jobCount", pool.jobs)
            writer.nodesByState(pool.nodeStates[...])
        }
    }

    private mutating func nodesByState(_ states: ArraySlice<NodeState>) {
        key("nodesByState")
        object { writer in
            var counts = [Int](repeating: 0, count: NodeState.allCases.count)
            for state in states { counts[Int(state.rawValue)] += 1 }
            writer.member("ready", counts[Int(NodeState.ready.rawValue)])
            writer.member("cordoned", counts[Int(NodeState.cordoned.rawValue)])
            writer.member("draining", counts[Int(NodeState.draining.rawValue)])
            writer.member(
                "down", counts[Int(NodeState.down.rawValue)] + counts[Int(NodeState.downCordoned.rawValue)])
        }
    }

    /// What a change of a place came to, with the first of the jobs that lost theirs.
    mutating func place(_ change: PlaceChange, in state: State) {
        object { writer in
            writer.member("pool", state[change.pool].spec.name)
            switch change.place {
            case .pool: break
            case .block(let name): writer.member("block", name)
            case .domain(let name): writer.member("domain", name)
            }
            writer.member("nodeCount", change.nodes.count)
            writer.member("changedNodeCount", change.changedNodes)
            writer.nodesByState(state[change.pool].nodeStates[change.nodes])
            writer.member("requeuedJobCount", change.requeued.count)
            writer.key("requeuedJobs")
            writer.first(of: change.requeued, in: state)
            writer.member("repairingJobCount", change.repairing.count)
            writer.key("repairingJobs")
            writer.first(of: change.repairing, in: state)
        }
    }

    private mutating func first(of jobs: [JobNumber], in state: State) {
        array { writer in
            for number in jobs.prefix(PlaceChange.jobsShown) {
                if let job = state.jobs[number] { writer.value(job.id) }
            }
        }
    }

    /// `desk` knows what is free on the node now.
    mutating func node(_ node: Int, of slot: PoolSlot, _ desk: any Desk) {
        let pool = desk.state[slot]
        let free = desk.free(slot, node: node)
        object { writer in
            let layout = pool.layout
            let domain = layout.domain(ofNode: node)
            let nodeState = pool.nodeStates[node]
            writer.member("node", pool.spec.name + "/" + layout.name(ofNode: node))
            writer.member("pool", pool.spec.name)
            writer.member("name", layout.name(ofNode: node))
            writer.member("domain", layout.name(ofDomain: domain))
            if let clique = layout.cliqueName(ofDomain: domain) { writer.member("clique", clique) }
            writer.member("block", layout.name(ofBlock: layout.block(ofDomain: domain)))
            if let reservation = pool.info.reservation(ofNode: node) { writer.member("reservation", reservation) }
            writer.member("state", nodeState.name)
            if nodeState == .downCordoned { writer.member("cordonedWhenUp", true) }
            if node >= Int(layout.domainStart[domain + 1]) - pool.spec.sparesPerDomain { writer.member("spare", true) }
            writer.member("gpus", pool.spec.node.gpus)
            writer.member("gpusFree", free.gpuMask.nonzeroBitCount)
            writer.key("gpuIndexesFree")
            writer.array { writer in
                for gpu in 0..<pool.spec.node.gpus where free.gpuMask >> UInt16(gpu) & 1 == 1 { writer.value(gpu) }
            }
            if pool.spec.allowsGPUShares {
                writer.key("gpuMilliFree")
                writer.array { writer in
                    for gpu in 0..<pool.spec.node.gpus { writer.value(desk.freeMilli(slot, node: node, gpu: gpu)) }
                }
            }
            writer.member("cpuMillisFree", free.cpuMillis)
            writer.member("memoryMiBFree", free.memoryMiB)
        }
    }
}

/// Free capacity summed over pools.
private struct Room {
    var pools = 0
    var gpus = 0
    var allocated = 0
    var broken = 0
    var free = 0
    var unavailable = 0
    var freeNodes = 0
    var freeDomains = 0
    var freeBlocks = 0
    var largest = (domain: 0, block: 0, pool: 0)
    var gangs: [(gpus: Int, domain: Int, block: Int, pool: Int)] = Engine.gangSizes.map { ($0, 0, 0, 0) }

    mutating func add(_ reading: PoolReading) {
        pools += 1
        gpus += reading.gpus
        allocated += reading.gpusAllocated
        broken += reading.gpusBroken
        free += reading.gpusFree
        unavailable += reading.gpusUnavailable
        freeNodes += reading.freeNodes
        freeDomains += reading.freeDomains
        freeBlocks += reading.freeBlocks
        largest.domain = max(largest.domain, reading.largestGang.domain)
        largest.block = max(largest.block, reading.largestGang.block)
        largest.pool = max(largest.pool, reading.largestGang.pool)
        for room in reading.room {
            guard let at = gangs.firstIndex(where: { $0.gpus == room.gpus }) else { continue }
            gangs[at].domain += room.inOneDomain
            gangs[at].block += room.inOneBlock
            gangs[at].pool += room.inOnePool
        }
    }
}

extension JSONWriter {
    /// The whole fleet, then by provider, accelerator and pool.
    mutating func fleet(_ readings: [PoolReading], _ state: State) {
        var whole = Room()
        var providers: [(name: String, room: Room)] = []
        var accelerators: [(name: String, room: Room)] = []
        func add(_ reading: PoolReading, to name: String, _ groups: inout [(name: String, room: Room)]) {
            if !groups.contains(where: { $0.name == name }) { groups.append((name, Room())) }
            for at in groups.indices where groups[at].name == name { groups[at].room.add(reading) }
        }
        for reading in readings {
            whole.add(reading)
            add(reading, to: state[reading.slot].spec.provider, &providers)
            add(reading, to: state[reading.slot].spec.accelerator, &accelerators)
        }
        object { writer in
            writer.member("revision", state.revision)
            writer.member("poolCount", whole.pools)
            writer.room(whole)
            writer.key("jobsByState")
            writer.object { writer in
                for state_ in JobState.allCases { writer.member(state_.key, state.count(of: state_)) }
            }
            for (title, groups) in [("providers", providers), ("accelerators", accelerators)] {
                writer.key(string: title)
                writer.array { writer in
                    for group in groups.sorted(by: { $0.name < $1.name }) {
                        writer.object { writer in
                            writer.member("name", group.name)
                            writer.member("poolCount", group.room.pools)
                            writer.room(group.room)
                        }
                    }
                }
            }
            writer.key("pools")
            writer.array { writer in
                for reading in readings {
                    writer.object { writer in
                        let spec = state[reading.slot].spec
                        writer.member("name", spec.name)
                        writer.member("provider", spec.provider)
                        writer.member("region", spec.region)
                        writer.member("accelerator", spec.accelerator)
                        var room = Room()
                        room.add(reading)
                        writer.room(room)
                    }
                }
            }
        }
    }

    private mutating func room(_ room: Room) {
        member("gpus", room.gpus)
        member("gpusAllocated", room.allocated)
        member("gpusBroken", room.broken)
        member("gpusFree", room.free)
        member("gpusUnavailable", room.unavailable)
        key("wholeFree")
        object { writer in
            writer.member("nodes", room.freeNodes)
            writer.member("domains", room.freeDomains)
            writer.member("blocks", room.freeBlocks)
        }
        key("largestGangGPUs")
        object { writer in
            writer.member("domain", room.largest.domain)
            writer.member("block", room.largest.block)
            writer.member("pool", room.largest.pool)
        }
        key("gangsThatFit")
        array { writer in
            for gang in room.gangs {
                writer.object { writer in
                    writer.member("gpus", gang.gpus)
                    writer.member("inOneDomain", gang.domain)
                    writer.member("inOneBlock", gang.block)
                    writer.member("inOnePool", gang.pool)
                }
            }
        }
    }
}

extension JobState {
    /// The state's name as a key of JSON.
    var key: StaticString {
        switch self {
        case .queued: "queued"
        case .placed: "placed"
        case .running: "running"
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .cancelled: "cancelled"
        case .preempting: "preempting"
        case .repairing: "repairing"
        }
    }
}
