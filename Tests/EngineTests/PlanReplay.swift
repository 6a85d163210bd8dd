// A fleet on which the moves of a plan are carried out one by one: on a packer of its own, and on a count of every GPU beside it.
// Knows the rules that a place must obey from what jobs, pools and tenants say, and nothing of how plans are made.

import Engine
import Model
import Packing
import TestKit

struct NodePlace: Hashable {
    let pool: Int
    let node: Int
}

struct PlanReplay: ~Copyable {
    var packer = Packer()
    var fleet = ShadowFleet()
    let state: State
    /// Where each job stands now.
    var places: [JobNumber: Placement] = [:]
    /// Nodes that are kept for waiting jobs.
    var kept: Set<NodePlace> = []

    init(_ state: State) {
        self.state = state
        for (index, pool) in state.pools.enumerated() where !pool.isDeleted {
            packer.put(pool: index, layout: pool.layout, spec: pool.spec)
            fleet.put(pool: index, layout: pool.layout, spec: pool.spec)
            for (node, nodeState) in pool.nodeStates.enumerated() { setReady(index, node, nodeState == .ready) }
        }
        var held: [Job] = []
        state.jobs.forEach { job in
            held.append(job)
            return true
        }
        for job in held {
            if job.state.holdsCapacity, let placement = job.life.placement {
                packer.take(placement)
                _ = fleet.take(placement)
                places[job.number] = placement
            }
            guard let placement = job.life.reservation?.placement else { continue }
            let tier = placement.exclusive ?? .node
            for place in fleet.places(tier, of: placement) {
                for node in fleet.pools[place.pool]?.nodes(in: tier, place.index) ?? [] {
                    kept.insert(NodePlace(pool: place.pool, node: node))
                }
            }
        }
    }

    mutating func setReady(_ pool: Int, _ node: Int, _ isReady: Bool) {
        packer.setSchedulable(pool: pool, node: node, isReady)
        fleet.setSchedulable(pool: pool, node: node, isReady)
    }

    /// Stops a gang where it stands.
    mutating func stop(_ number: JobNumber) {
        guard let placement = places.removeValue(forKey: number) else { return }
        packer.give(placement)
        _ = fleet.give(placement)
    }

    /// Carries a move out, or says what is wrong with it.
    mutating func carryOut(_ move: PlannedMove) -> [String] {
        guard let job = state.jobs[move.job] else { return ["there is no such job"] }
        if places[move.job] != move.from { return ["job \(job.id) is not where the plan says"] }
        stop(move.job)
        let form = GangForm(job.spec, scope: job.spec.scope.required)
        var faults = PlacementRules(form, candidates: candidates(of: job), fleet: fleet, placement: move.to).broken
        if !packer.canTake(move.to) { faults.append("its place is not free") }
        if !nodes(of: move.to).isDisjoint(with: kept) { faults.append("its place is kept for a waiting job") }
        if !faults.isEmpty { return faults.map { "job \(job.id): \($0)" } }
        packer.take(move.to)
        places[move.job] = move.to
        return fleet.take(move.to)
    }

    func nodes(of placement: Placement) -> Set<NodePlace> {
        Set(fleet.places(.node, of: placement).map { NodePlace(pool: $0.pool, node: $0.index) })
    }

    /// Pools that a job and its tenants allow.
    private func candidates(of job: Job) -> [Candidate] {
        let spec = job.spec
        func isIn(_ regions: [String], _ pool: PoolSpec) -> Bool {
            regions.contains(pool.region) || regions.contains(pool.provider + "/" + pool.region)
        }
        return state.pools.indices.compactMap { index in
            let pool = state.pools[index].spec
            if state.pools[index].isDeleted { return nil }
            for list in [spec.allow.providers] where !list.isEmpty && !list.contains(pool.provider) { return nil }
            if !spec.allow.pools.isEmpty && !spec.allow.pools.contains(pool.name) { return nil }
            if !spec.allow.regions.isEmpty && !isIn(spec.allow.regions, pool) { return nil }
            if spec.deny.providers.contains(pool.provider) || spec.deny.pools.contains(pool.name)
                || isIn(spec.deny.regions, pool)
            {
                return nil
            }
            var path: String? = spec.tenant
            while let name = path {
                if let rules = state.tenants.slot(of: name).flatMap({ state.tenants[$0].spec }) {
                    if rules.denyProviders.contains(pool.provider) { return nil }
                    if !rules.residency.isEmpty && !isIn(rules.residency, pool) { return nil }
                }
                path = TenantPath.parent(of: name)
            }
            let wanted = spec.accelerators.first { $0.model == pool.accelerator }
            if !spec.accelerators.isEmpty && wanted == nil { return nil }
            return Candidate(
                pool: index, rank: 0, priceMicroUSDPerGPUHour: pool.priceMicroUSDPerGPUHour,
                speedMilli: wanted?.speedMilli ?? 1000,
                provider: first { $0.provider == pool.provider },
                region: first { $0.provider == pool.provider && $0.region == pool.region })
        }
    }

    /// The first pool that is like another stands for all of its kind.
    private func first(_ isLike: (PoolSpec) -> Bool) -> Int { state.pools.firstIndex { isLike($0.spec) } ?? -1 }

    /// Domains as large as the largest of their pool of which nothing is taken but on spares, and all of whose ordinary nodes take
    /// work from anybody.
    func freeDomains(of pools: Set<Int>) -> Set<DomainPlace> {
        var free: Set<DomainPlace> = []
        for (index, pool) in fleet.pools.enumerated() where pools.contains(index) {
            guard let pool else { continue }
            let domains = (0..<pool.layout.domainCount).map { pool.nodes(in: .domain, $0) }
            let largest = domains.map(\.count).max() ?? 0
            for (domain, nodes) in domains.enumerated() where nodes.count == largest {
                let ordinary = nodes.filter { !pool.nodes[$0].isSpare }
                let isFree = ordinary.allSatisfy {
                    pool.nodes[$0].isEmpty(pool.spec.node) && pool.nodes[$0].isSchedulable && !fleet.isKept(index, $0)
                }
                let isKept = nodes.contains { kept.contains(NodePlace(pool: index, node: $0)) }
                if isFree && !isKept && !ordinary.isEmpty {
                    free.insert(DomainPlace(pool: PoolSlot(index), domain: domain))
                }
            }
        }
        return free
    }

    /// What all that stands somewhere costs, in micro-USD per hour.
    func bill() -> Int64 {
        var total: Int64 = 0
        for number in places.keys.sorted() {
            guard let placement = places[number] else { continue }
            if let tier = placement.exclusive {
                for place in fleet.places(tier, of: placement) {
                    let spec = state.pools[place.pool].spec
                    let nodes = fleet.pools[place.pool]?.nodes(in: tier, place.index).count ?? 0
                    total += Int64(nodes * spec.node.gpus) * spec.priceMicroUSDPerGPUHour
                }
                continue
            }
            for (at, part) in placement.parts.enumerated() where state[part.pool].spec.billing == .gpu {
                total += Int64(placement.gpuMilli(at)) * state[part.pool].spec.priceMicroUSDPerGPUHour / 1000
            }
        }
        for (index, pool) in fleet.pools.enumerated() {
            guard let pool, pool.spec.billing == .node else { continue }
            let used = pool.nodes.indices.count { !pool.nodes[$0].isEmpty(pool.spec.node) && !fleet.isKept(index, $0) }
            total += Int64(used * pool.spec.node.gpus) * pool.spec.priceMicroUSDPerGPUHour
        }
        return total
    }
}
