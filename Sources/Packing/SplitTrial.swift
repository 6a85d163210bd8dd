// A gang over several pools: which pools, and how many workers of each group in each, cheapest pools first, never more
// pools or fewer workers in one than its split allows. For one group the search is exact.

import Model

extension Packer {
    /// Lays the gang out over the pools of the targets below `end` and keeps the best layout. Pools of one region, or one
    /// provider, where the scope says so; pools of one speed where the gang is scaled by speed.
    mutating func layOutSplit(_ gang: borrowing Gang, upTo end: Int, isHeld: (_ pool: Int) -> Bool) {
        var units: [[Int]] = []
        for at in 0..<end where !isHeld(gang.targets[at].pool) {
            let target = gang.targets[at]
            let unit = units.firstIndex { unit in
                let other = gang.targets[unit[0]]
                if gang.form.scaleBySpeed && other.speedMilli != target.speedMilli { return false }
                return switch gang.form.scope {
                case .region: other.region == target.region
                case .provider: other.provider == target.provider
                default: true
                }
            }
            if let unit { units[unit].append(at) } else { units.append([at]) }
        }
        for unit in units where unit.count > 1 {
            for order in gang.orders where layOut(gang, over: unit, order) { break }
        }
    }

    /// Lays the gang out over some of the pools of one unit, group by group, and keeps it when it is the best. False where
    /// it does not fit in this order.
    private mutating func layOut(_ gang: borrowing Gang, over unit: [Int], _ order: [Int]) -> Bool {
        guard let split = gang.form.split, trial.workLeft > 0 else { return false }
        trial.lays += 1
        spend(Trial.layWork)
        var allowed = unit
        for group in order {
            let least = gang.group(group, target: unit[0]).least
            let most = gang.group(group, target: unit[0]).most
            guard let shares = shares(gang, group, least...most, over: allowed, atMost: split.maxPools) else {
                undo(gang)
                return false
            }
            for share in shares where !take(share.workers, of: group, gang, target: share.target, in: .pool) {
                undo(gang)
                return false
            }
            allowed = stillAllowed(allowed, atMost: split.maxPools)
        }
        keepIfBest(gang, target: unit[0])
        undo(gang)
        return true
    }

    /// The pools that later groups may use: those in use, and of the others as many as are left, the first ones.
    private func stillAllowed(_ allowed: [Int], atMost most: Int) -> [Int] {
        let used = Set(trial.pieces.map(\.target))
        let others = allowed.filter { !used.contains($0) }
        return allowed.filter { used.contains($0) || others.prefix(most - used.count).contains($0) }
    }

    /// How many workers of a group each pool gets: the cheapest pools as many as leaves a rest that the others can hold.
    private func shares(
        _ gang: borrowing Gang, _ group: Int, _ counts: ClosedRange<Int>, over targets: [Int], atMost most: Int
    ) -> [(target: Int, workers: Int)]? {
        let form = gang.form.groups[group]
        let quota = Quota(form, exclusive: gang.form.exclusive)
        let quantum = form.segment?.size ?? 1
        let least = ((gang.form.split?.minWorkersPerPool ?? 1) + quantum - 1) / quantum * quantum
        var rooms: [(target: Int, room: Int)] = []
        for at in targets {
            let pool = gang.targets[at].pool
            let index = gang.group(group, target: at).index
            let room = pools[pool].room(pools[pool].indexes[index], quota) / quantum * quantum
            if room >= min(least, counts.lowerBound) { rooms.append((at, room)) }
        }
        // A group smaller than the least of a pool stands in one pool whole.
        let leastHere = min(least, counts.lowerBound)
        let sizes = rooms.map(\.room).sorted(by: >)
        guard var left = wanted(counts, leastHere, quantum, sizes, most) else { return nil }
        var shares: [(target: Int, workers: Int)] = []
        while left > 0 {
            var found = false
            for (at, room) in rooms where !shares.contains(where: { $0.target == at }) {
                let others = rooms.filter { other in
                    other.target != at && !shares.contains { $0.target == other.target }
                }
                let rest = others.map(\.room).sorted(by: >)
                guard let taken = Self.share(of: left, room, leastHere, rest, most - shares.count - 1) else { continue }
                shares.append((at, taken))
                left -= taken
                found = true
                break
            }
            if !found { return nil }
        }
        return shares
    }

    /// The most workers between the bounds that pools of these rooms can hold, at most so many pools of them.
    private func wanted(
        _ counts: ClosedRange<Int>, _ least: Int, _ quantum: Int, _ sizes: [Int], _ most: Int
    ) -> Int? {
        var best: Int?
        var sum = 0
        for (number, size) in sizes.prefix(most).enumerated() {
            sum += size
            // With this many pools, anything between their least and their room.
            let reach = min(sum, counts.upperBound) / quantum * quantum
            if reach >= max(counts.lowerBound, (number + 1) * least), reach > best ?? 0 { best = reach }
        }
        return best
    }

    /// The most that a pool of `room` may take of `left` so that at most `most` of the `others` can hold the rest exactly,
    /// each at least `least`; nil where none.
    private static func share(of left: Int, _ room: Int, _ least: Int, _ others: [Int], _ most: Int) -> Int? {
        var best: Int?
        var sum = 0
        for number in 0...max(0, min(most, others.count)) {
            if number > 0 { sum += others[number - 1] }
            let taken = min(room, left - number * least)
            if taken >= max(least, left - sum), taken > best ?? 0 { best = taken }
        }
        return best
    }
}
