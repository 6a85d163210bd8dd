// Which of the waiting jobs want a place that is to be emptied. Asks what each may use and likes best, not what is free.

import Model
import Packing

/// What ties a waiting job to a place. Closed: a program may switch on it. The first that holds is told.
public enum QueuedTie: UInt8, CaseIterable, Sendable {
    /// Nodes there are kept for it.
    case placeKept
    /// All pools that it may use and that could hold a worker of each of its groups are emptied whole.
    case nowhereElse
    /// The pool that it would rather have than any other is emptied, or part of it.
    case firstChoice
}

extension Planner {
    /// Counts by tie, and the first jobs in order of arrival. Cost: all waiting jobs, and the pools for each distinct shape.
    mutating func waitingJobs(
        tiedTo emptied: EmptiedNodes, limit: Int
    ) -> (counts: [Int], listed: [(job: Job, tie: QueuedTie)]) {
        var counts = [Int](repeating: 0, count: QueuedTie.allCases.count)
        var listed: [(job: Job, tie: QueuedTie)] = []
        var known: [Wish: QueuedTie?] = [:]
        for job in view.jobs.all(where: { $0.state == .queued }) {
            var tie = emptied.holdsAny(of: job.life.reservation?.placement) ? QueuedTie.placeKept : nil
            if tie == nil {
                let wish = Wish(
                    key: ShapeKey(job.spec, asking: job.spec.scope.required), tenant: engine.tenant(of: job))
                let found = known[wish] ?? self.tie(of: wish, to: emptied)
                known[wish] = .some(found)
                tie = found
            }
            guard let tie else { continue }
            counts[Int(tie.rawValue)] += 1
            if listed.count < limit { listed.append((job, tie)) }
        }
        return (counts, listed)
    }

    private struct Wish: Hashable {
        let key: ShapeKey
        let tenant: TenantSlot
    }

    private func tie(of wish: Wish, to emptied: EmptiedNodes) -> QueuedTie? {
        var isTied = true
        var best: (rank: Int, price: Int64, isEmptied: Bool)?
        for (index, pool) in view.pools.enumerated() where !pool.isDeleted {
            guard wish.key.allows(pool.spec),
                let rank = wish.key.accelerators.preference(for: pool.spec.accelerator)?.rank,
                engine.placeBar(wish.tenant, pool: index) == nil,
                wish.key.demands.allSatisfy({ engine.packer.need(of: $0, pool: index) != nil })
            else { continue }
            let isEmptied = !emptied.ranges[index].isEmpty
            if !emptied.isWhole[index] { isTied = false }
            let price = pool.spec.priceMicroUSDPerGPUHour
            // Of equal pools one that is emptied counts.
            guard let known = best, (known.rank, known.price) <= (rank, price) else {
                best = (rank, price, isEmptied)
                continue
            }
            if (known.rank, known.price) == (rank, price) { best?.isEmptied = known.isEmptied || isEmptied }
        }
        guard let best else { return nil }
        return isTied ? .nowhereElse : best.isEmptied ? .firstChoice : nil
    }
}
