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
        } else if !findBesideClaims(gang, queue[shape].key, closed, number, into: &placement, &broken) {
            return nil
        }
        if bars.quotas.isEmpty || isWithinQuota(placement, of: tenant) { return (placement, broken) }
        // An elastic gang that takes more than its tenant may is content with its least.
        var least = queue[shape].key
        least.form.shrink()
        let small = resolve(least)
        guard findBesideClaims(small, least, closed, number, into: &placement, &broken) else { return nil }
        return (placement, broken)
    }

    private mutating func findBesideClaims(
        _ gang: Gang, _ key: ShapeKey, _ closed: ClosedPools, _ number: JobNumber, into placement: inout Placement,
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
        if claims.isEmpty || !fitsOnKept(gang, key, closed) { return false }
        // Those that it leaves in time lose nothing by it.
        let end = now.adding(seconds: job.spec.maxRuntimeSeconds ?? settings.assumedRuntimeSeconds)
        let patient = claims.all.filter { claim in claim.openUntil.map { end <= $0 } ?? false }
        for claim in patient { suspend(claim) }
        defer { for claim in patient { resume(claim) } }
        if !patient.isEmpty, find(gang, closed, into: &placement) { return true }
        let behind = claimsBehind(job)
        for claim in behind { suspend(claim) }
        defer { for claim in behind { resume(claim) } }
        guard !behind.isEmpty, find(gang, closed, into: &placement) else { return false }
        broken = owners(of: behind, standingOn: spans(of: placement))
        return true
    }

    /// Whether there would be room for the lead group if nothing were kept. Cost: the pools.
    private mutating func fitsOnKept(_ gang: Gang, _ key: ShapeKey, _ closed: ClosedPools) -> Bool {
        var open = key
        open.form.usesReserved = true
        let other = resolve(open)
        return other.targets.indices.contains {
            !closed.contains(other.targets[$0].pool) && packer.fits(other, target: $0)
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
