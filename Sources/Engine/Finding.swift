// Where a job goes now: a place among the pools that its tenant may use that delays nobody ahead of it. Nodes that are kept for
// jobs behind it are as good as free, and those that are kept for jobs ahead of it are so for as long as they are not due.

import Model
import Packing

extension Engine {
    /// A place for a waiting job, at no more than its tenant's quota, and the jobs behind it that lose what was kept for them.
    mutating func find(
        _ gang: Gang, _ shape: ShapeIndex, _ closed: ClosedPools, _ tenant: TenantSlot, _ number: JobNumber
    ) -> (Placement, broken: [JobNumber])? {
        var placement = Placement.none
        var broken: [JobNumber] = []
        if closed.isNone && claims.isEmpty {
            guard packer.find(gang, into: &placement, isHeld: { _ in false }) else { return nil }
        } else if !findBesideClaims(gang, .shape(shape), closed, number, into: &placement, &broken) {
            return nil
        }
        if bars.quotas.isEmpty || isWithinQuota(placement, of: tenant) { return (placement, broken) }
        // An elastic gang that takes more than its tenant may is content with its least.
        var least = queue[shape].key
        least.form.shrink()
        let small = resolve(least)
        guard findBesideClaims(small, .key(least), closed, number, into: &placement, &broken) else { return nil }
        return (placement, broken)
    }

    /// What a gang was resolved from.
    private enum Form {
        case shape(ShapeIndex)
        case key(ShapeKey)
    }

    private mutating func openGang(of form: Form) -> Gang {
        switch form {
        case .shape(let shape): return openGang(of: shape)
        case .key(var key):
            key.form.usesReserved = true
            return resolve(key)
        }
    }

    private mutating func findBesideClaims(
        _ gang: Gang, _ form: Form, _ closed: ClosedPools, _ number: JobNumber, into placement: inout Placement,
        _ broken: inout [JobNumber]
    ) -> Bool {
        broken = []
        guard let job = state.jobs[number] else { preconditionFailure("a job that waits is not there") }
        let own = claims[.job(number)]
        let touched = claims.touched
        if let own { suspend(own) }
        defer {
            if let own { resume(own) }
            claims.restoreTouched(touched)
        }
        if find(gang, closed, into: &placement) { return true }
        if claims.isEmpty || !fits(openGang(of: form), closed) { return false }
        // Those that it leaves in time lose nothing by it.
        let end = now.adding(seconds: job.spec.maxRuntimeSeconds ?? settings.assumedRuntimeSeconds)
        let patient = claims.all.filter { claim in claim.openUntil.map { end <= $0 } ?? false }
        for claim in patient { suspend(claim) }
        defer { for claim in patient { resume(claim) } }
        if !patient.isEmpty, find(gang, closed, into: &placement) { return true }
        let isNew = job.life.openedAt == now
        let behind = claimsBehind(job).filter { isNew || claims.isFresh($0.owner) }
        for claim in behind { suspend(claim) }
        defer { for claim in behind { resume(claim) } }
        if !behind.isEmpty, find(gang, closed, into: &placement) {
            broken = owners(of: behind, standingOn: spans(of: placement))
            return true
        }
        guard let kept = keptPlace(of: job, closed) else { return false }
        placement = kept
        return true
    }

    /// The place that is kept for a job, if it is free now and the job is the next that it is kept for. Whoever comes after it
    /// there waits for as much longer as the job is late.
    private func keptPlace(of job: Job, _ closed: ClosedPools) -> Placement? {
        guard let reservation = job.life.reservation, !isPromisedSooner(job.number),
            packer.canTake(reservation.placement), faultOfNodes(reservation.placement) == nil,
            !reservation.placement.parts.contains(where: { closed.contains($0.pool.index) })
        else { return nil }
        return reservation.placement
    }

    /// Whether there is room for the lead group in some pool. Cost: the pools.
    private func fits(_ gang: Gang, _ closed: ClosedPools) -> Bool {
        gang.targets.indices.contains {
            !closed.contains(gang.targets[$0].pool) && packer.fits(gang, target: $0)
        }
    }

    /// A place on nodes that nobody keeps.
    private mutating func find(_ gang: Gang, _ closed: ClosedPools, into placement: inout Placement) -> Bool {
        packer.find(gang, into: &placement) { closed.contains($0) }
    }

    /// The jobs whose claims have a node among some.
    func owners(of claims: [Claim], standingOn spans: [NodeSpan]) -> [JobNumber] {
        claims.compactMap { claim in
            guard case .job(let number) = claim.owner, spans.contains(where: { claim.overlaps($0.nodes, of: $0.pool) })
            else { return nil }
            return number
        }
    }
}
