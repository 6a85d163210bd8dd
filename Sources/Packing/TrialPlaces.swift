// Where a gang of several groups or rules is tried: the places of one tier, the best first, until one holds all of it.
// Places come from the buckets of the lead group's index as they are needed. What a place is worth is a key of the room
// that the lead group has there, so whole buckets are ordered first, and of a bucket that is never reached nothing is read.

import HeapModule
import Model

/// What a place is tried by: smaller goes first, and of equal ones the lowest.
struct PlaceKey: Comparable {
    /// Workers that an elastic gang would have to do without << 42 | nodes kept from others << 21 | workers of room left.
    var key: Int
    /// Of the node, domain or block.
    var index: Int

    init(missing: Int, kept: Int, left: Int, index: Int = 0) {
        key = min(missing, 1 << 20) << 42 | kept << 21 | min(left, 1 << 21 - 1)
        self.index = index
    }

    static func < (left: PlaceKey, right: PlaceKey) -> Bool { (left.key, left.index) < (right.key, right.index) }
}

/// The places of one bucket of the lead group's index, or of one class of fits of nodes.
struct PlaceBucket {
    /// That of each of its places, or where they differ no more than any of theirs.
    var key: Int
    var bucket: Int
    /// Where the nodes of pools billed by the node differ: whether nodes in use are meant, or others.
    var areUsed: Bool?
}

extension Packer {
    /// Whether each group alone has room in some place of a tier.
    func mayHold(_ gang: borrowing Gang, target at: Int, tier: Tier) -> Bool {
        let pool = gang.targets[at].pool
        for group in gang.form.groups.indices {
            let here = gang.group(group, target: at)
            let quota = Quota(gang.form.groups[group], exclusive: gang.form.exclusive)
            if !pools[pool].hasRoom(pools[pool].indexes[here.index], quota, for: here.least, tier: tier) {
                return false
            }
        }
        return true
    }

    /// Whether each group alone has room in a place, and all together no more GPUs, CPU and memory than are free there. Cost: the
    /// nodes of the place until enough is free.
    private mutating func mayHold(_ gang: borrowing Gang, target at: Int, in place: Place) -> Bool {
        spend(1)
        let pool = gang.targets[at].pool
        if place == .pool { return trial.volume.gpus <= pools[pool].gpusFree }
        for group in gang.form.groups.indices where group != gang.lead {
            if room(gang, group, target: at, in: place) < gang.group(group, target: at).least { return false }
        }
        if gang.form.groups.count == 1 { return true }
        let (isEnough, nodes) = pools[pool].isFree(trial.volume, in: place)
        spend(nodes / 8)
        return isEnough
    }

    /// Workers that a group alone could have in a place.
    func room(_ gang: borrowing Gang, _ group: Int, target at: Int, in place: Place) -> Int {
        let pool = gang.targets[at].pool
        let index = gang.group(group, target: at).index
        let quota = Quota(gang.form.groups[group], exclusive: gang.form.exclusive)
        return switch place {
        case .node(let node): Int(pools[pool].indexes[index].nodeFit[node])
        case .domain(let domain): pools[pool].room(pools[pool].indexes[index], quota, domain: domain)
        case .block(let block): pools[pool].room(pools[pool].indexes[index], quota, block: block)
        case .pool: pools[pool].room(pools[pool].indexes[index], quota)
        }
    }

    /// Lays the least counts out in the first place of a tier that holds them: in order of tightness for the lead group,
    /// or, where it is elastic, those that hold its most first, then by falling room; for an exclusive gang among equal ones
    /// the places that keep fewest nodes from others first, in a pool billed by the node used nodes first. What is laid out
    /// stays taken. Cost: the kinds of room that there are, and the places that are looked at before one holds the gang;
    /// with the blocks, for a place among blocks.
    mutating func firstPlace(_ gang: borrowing Gang, target at: Int, tier: Tier) -> Place? {
        if tier >= .pool {
            return mayHold(gang, target: at, in: .pool) && lay(gang, target: at, in: .pool) ? .pool : nil
        }
        if tier == .block { return firstBlock(gang, target: at) }
        let pool = gang.targets[at].pool
        let index = gang.group(gang.lead, target: at).index
        let exclusive = gang.form.exclusive
        let keepsEqually = exclusive == nil || pools[pool].keptEqually(by: exclusive) > 0
        let buckets = placeBuckets(gang, target: at, tier: tier)
        return pools[pool].indexes[index].isExact && keepsEqually
            ? firstPlace(gang, target: at, tier: tier, inOrder: buckets)
            : firstPlace(gang, target: at, tier: tier, roughly: buckets)
    }

    /// The buckets or classes that may have a place for the lead group, by rising key. Cost: the kinds of room that there are.
    private func placeBuckets(_ gang: borrowing Gang, target at: Int, tier: Tier) -> [PlaceBucket] {
        let lead = gang.group(gang.lead, target: at)
        let pool = gang.targets[at].pool
        let quota = Quota(gang.form.groups[gang.lead], exclusive: gang.form.exclusive)
        let perNode = pools[pool].indexes[lead.index].perNode
        var buckets: [PlaceBucket] = []
        func add(_ bucket: Int, _ rooms: ClosedRange<Int>, fit: Int, areUsed: Bool? = nil) {
            if rooms.upperBound < lead.least { return }
            let missing = max(0, lead.most - rooms.upperBound)
            let left = max(0, max(rooms.lowerBound, lead.least) - lead.most)
            var kept = areUsed == false ? 1 : 0
            if gang.form.exclusive != nil {
                let equally = pools[pool].keptEqually(by: gang.form.exclusive)
                kept = equally > 0 ? equally : (fit + perNode - 1) / perNode
            }
            let key = PlaceKey(missing: missing, kept: kept, left: left).key
            buckets.append(PlaceBucket(key: key, bucket: bucket, areUsed: areUsed))
        }
        if tier == .node {
            let isByUse =
                pools[pool].isBilledByNode && gang.form.exclusive == nil && pools[pool].indexes[lead.index].isExact
            var classes = pools[pool].indexes[lead.index].nodeFits & (~0 << UInt64(FitClass.of(lead.least)))
            while classes != 0 {
                let fitClass = classes.trailingZeroBitCount
                classes &= classes - 1
                let most = pools[pool].indexes[lead.index].isExact ? fitClass : FitClass.least(fitClass + 1) - 1
                let rooms = FitClass.least(fitClass)...most
                add(fitClass, rooms, fit: rooms.lowerBound, areUsed: isByUse ? true : nil)
                // What holds fewer workers than an empty node is in use.
                if isByUse && fitClass == perNode { add(fitClass, rooms, fit: fitClass, areUsed: false) }
            }
        } else {
            var next = pools[pool].indexes[lead.index].buckets.first(
                row: 0, from: pools[pool].indexes[lead.index].bucket(of: lead.least))
            while let bucket = next {
                next = pools[pool].indexes[lead.index].buckets.first(row: 0, from: bucket + 1)
                let least = pools[pool].indexes[lead.index].leastFit(ofBucket: bucket)
                let most = pools[pool].indexes[lead.index].mostFit(ofBucket: bucket)
                add(bucket, quota.usable(least)...quota.usable(most), fit: least)
            }
        }
        buckets.sort { ($0.key, $0.bucket) < ($1.key, $1.bucket) }
        return buckets
    }

    /// Where all places of a bucket have its key. Buckets of equal key are walked together, in order of their places.
    private mutating func firstPlace(
        _ gang: borrowing Gang, target at: Int, tier: Tier, inOrder buckets: [PlaceBucket]
    ) -> Place? {
        let pool = gang.targets[at].pool
        let index = gang.group(gang.lead, target: at).index
        var begin = 0
        while begin < buckets.count {
            var end = begin + 1
            while end < buckets.count && buckets[end].key == buckets[begin].key { end += 1 }
            var start = 0
            while trial.workLeft > 0 {
                var lowest: Int?
                for bucket in buckets[begin..<end] {
                    let found =
                        tier == .node
                        ? pools[pool].firstNode(
                            pools[pool].indexes[index], bucket, from: start, exclusive: gang.form.exclusive)
                        : pools[pool].firstDomain(
                            pools[pool].indexes[index], bucket.bucket, from: start, exclusive: gang.form.exclusive)
                    if let found { lowest = min(lowest ?? found, found) }
                }
                guard let found = lowest else { break }
                start = found + 1
                let place = tier == .node ? Place.node(found) : .domain(found)
                if mayHold(gang, target: at, in: place), lay(gang, target: at, in: place) { return place }
            }
            begin = end
        }
        return nil
    }

    /// Most nodes that are ordered before some of them are tried, where a gang can have no more than its least.
    private static let mostOrdered = 64

    /// Where places of one bucket differ in their keys: a bucket is read once no place that is known goes before all of it.
    private mutating func firstPlace(
        _ gang: borrowing Gang, target at: Int, tier: Tier, roughly buckets: [PlaceBucket]
    ) -> Place? {
        let pool = gang.targets[at].pool
        let lead = gang.group(gang.lead, target: at)
        let quota = Quota(gang.form.groups[gang.lead], exclusive: gang.form.exclusive)
        // A gang that is not elastic mostly stands in the first nodes; more are looked at when they fail.
        let isHasty = tier == .node && lead.most == lead.least && gang.form.exclusive == nil
        var places: Heap<PlaceKey> = []
        for bucket in buckets {
            if let first = places.min, first.key < bucket.key,
                let place = tryAll(&places, gang, at, tier, below: bucket.key)
            {
                return place
            }
            var next = pools[pool].firstDomain(
                pools[pool].indexes[lead.index], ofTier: tier, bucket.bucket, from: 0, exclusive: gang.form.exclusive)
            while let domain = next {
                next = pools[pool].firstDomain(
                    pools[pool].indexes[lead.index], ofTier: tier, bucket.bucket, from: domain + 1,
                    exclusive: gang.form.exclusive)
                if tier == .domain {
                    let room = pools[pool].room(pools[pool].indexes[lead.index], quota, domain: domain)
                    if let key = key(gang, at, .domain(domain), domain, room: room) { order(key, among: &places) }
                    continue
                }
                for node in pools[pool].layout.nodeRange(domain) {
                    let fit = Int(pools[pool].indexes[lead.index].nodeFit[node])
                    if FitClass.of(fit) != bucket.bucket { continue }
                    if let key = key(gang, at, .node(node), node, room: fit) { order(key, among: &places) }
                }
                if isHasty, places.count >= Self.mostOrdered, let place = tryAll(&places, gang, at, tier) {
                    return place
                }
            }
        }
        return tryAll(&places, gang, at, tier)
    }

    /// Adds a place to those that are tried in their order. It counts as work, but does not end the search, for a place that is not
    /// ordered is not tried.
    private mutating func order(_ key: PlaceKey, among places: inout Heap<PlaceKey>) {
        layoutWork += 1
        places.insert(key)
    }

    /// The same for blocks, of which no index knows the tightest.
    private mutating func firstBlock(_ gang: borrowing Gang, target at: Int) -> Place? {
        let pool = gang.targets[at].pool
        let lead = gang.group(gang.lead, target: at)
        let quota = Quota(gang.form.groups[gang.lead], exclusive: gang.form.exclusive)
        var places: [PlaceKey] = []
        for block in 0..<pools[pool].layout.blocks where pools[pool].indexes[lead.index].blockFit[block] >= lead.least {
            let room = pools[pool].room(pools[pool].indexes[lead.index], quota, block: block)
            if let key = key(gang, at, .block(block), block, room: room) { places.append(key) }
        }
        var heap = Heap(places)
        return tryAll(&heap, gang, at, .block)
    }

    /// What a place of so much room for the lead group is tried by, or nil where it is not tried.
    private func key(_ gang: borrowing Gang, _ at: Int, _ place: Place, _ index: Int, room: Int) -> PlaceKey? {
        let lead = gang.group(gang.lead, target: at)
        if room < lead.least { return nil }
        let opens = gang.form.exclusive == nil && opensNode(place, pool: gang.targets[at].pool)
        return PlaceKey(
            missing: max(0, lead.most - room), kept: opens ? 1 : kept(gang, target: at, by: place),
            left: max(0, room - lead.most), index: index)
    }

    /// The first of the places that holds the gang; all whose key is below `end` are tried and forgotten.
    private mutating func tryAll(
        _ places: inout Heap<PlaceKey>, _ gang: borrowing Gang, _ at: Int, _ tier: Tier, below end: Int = .max
    ) -> Place? {
        while trial.workLeft > 0, let first = places.min, first.key < end {
            places.removeMin()
            let place: Place =
                switch tier {
                case .node: .node(first.index)
                case .domain: .domain(first.index)
                default: .block(first.index)
                }
            if mayHold(gang, target: at, in: place), lay(gang, target: at, in: place) { return place }
        }
        return nil
    }

    /// Whether a place is an unused node of a pool billed by the node.
    private func opensNode(_ place: Place, pool: Int) -> Bool {
        if case .node(let node) = place { return pools[pool].isBilledByNode && !pools[pool].isUsed(node) }
        return false
    }

    /// The nodes that an exclusive gang in a place keeps from others, for which it pays; 0 for other gangs.
    private func kept(_ gang: borrowing Gang, target at: Int, by place: Place) -> Int {
        guard let exclusive = gang.form.exclusive else { return 0 }
        let pool = gang.targets[at].pool
        let domain =
            switch place {
            case .node(let node): pools[pool].layout.domain(of: node)
            case .domain(let domain): domain
            case .block(let block): pools[pool].layout.domainRange(block).lowerBound
            case .pool: 0
            }
        // A gang spread over a block may keep fewer of its domains than all; the least is not known before it is laid out.
        if case .block = place, exclusive == .domain { return 0 }
        if place == .pool { return 0 }
        return exclusive == .block
            ? pools[pool].layout.nodes(ofBlock: pools[pool].layout.block(of: domain)).count
            : pools[pool].layout.nodeRange(domain).count
    }
}

extension PoolPacker {
    /// Whether so much is free on the nodes of a place, whoever may use them, and how many were looked at.
    fileprivate func isFree(_ volume: Trial.Volume, in place: Place) -> (isFree: Bool, nodes: Int) {
        let nodes: Range<Int>
        switch place {
        case .node(let node): nodes = node..<node + 1
        case .domain(let domain): nodes = layout.nodeRange(domain)
        case .block(let block): nodes = layout.nodes(ofBlock: block)
        case .pool: nodes = 0..<layout.nodes
        }
        var left = volume
        for node in nodes {
            let free = columns[node]
            left.gpus -= free.gpus
            left.cpuMillis -= Int(free.cpuMillis)
            left.memoryMiB -= Int(free.memoryMiB)
            if left.gpus <= 0 && left.cpuMillis <= 0 && left.memoryMiB <= 0 {
                return (true, node - nodes.lowerBound + 1)
            }
        }
        return (left.gpus <= 0 && left.cpuMillis <= 0 && left.memoryMiB <= 0, nodes.count)
    }

    /// The lowest domain of a bucket from `start` on that a gang which is exclusive in places of a tier may use.
    func firstDomain(_ index: borrowing DemandIndex, _ bucket: Int, from start: Int, exclusive: Tier?) -> Int? {
        guard let exclusive else { return index.byFit.first(bucket, from: start) }
        var next = index.byFit.firstCommon(bucket, with: openDomains, otherRow: 0, from: start)
        while exclusive == .block, let domain = next, !isOpen(domain, to: exclusive) {
            next = index.byFit.firstCommon(bucket, with: openDomains, otherRow: 0, from: endOfBlock(domain))
        }
        return next
    }

    /// The same for domains that have a node with a fit of a class.
    func firstDomain(
        _ index: borrowing DemandIndex, withClass fitClass: Int, from start: Int, exclusive: Tier?
    ) -> Int? {
        guard let exclusive else { return index.firstDomain(withClass: fitClass, from: start) }
        var next = index.firstDomain(withClass: fitClass, from: start, in: openDomains)
        while exclusive == .block, let domain = next, !isOpen(domain, to: exclusive) {
            next = index.firstDomain(withClass: fitClass, from: endOfBlock(domain), in: openDomains)
        }
        return next
    }

    /// Where the block of a domain ends: it is open or not as a whole.
    private func endOfBlock(_ domain: Int) -> Int { layout.domainRange(layout.block(of: domain)).upperBound }

    /// The nodes that a gang keeps from others by one place, where all places of the tier have equally many, else 0.
    fileprivate func keptEqually(by exclusive: Tier?) -> Int {
        exclusive == .block ? layout.nodesPerBlock : layout.isUniform ? layout.largestDomain : 0
    }

    /// Of the two the one that a tier wants.
    fileprivate func firstDomain(
        _ index: borrowing DemandIndex, ofTier tier: Tier, _ bucket: Int, from start: Int, exclusive: Tier?
    ) -> Int? {
        tier == .node
            ? firstDomain(index, withClass: bucket, from: start, exclusive: exclusive)
            : firstDomain(index, bucket, from: start, exclusive: exclusive)
    }

    /// The lowest node of an exact fit from `start` on. Cost: the domains that have such a node and are passed over.
    fileprivate func firstNode(
        _ index: borrowing DemandIndex, _ bucket: PlaceBucket, from start: Int, exclusive: Tier?
    ) -> Int? {
        if start >= layout.nodes { return nil }
        var next = firstDomain(
            index, withClass: bucket.bucket, from: layout.domain(of: start), exclusive: exclusive)
        while let domain = next {
            let range = layout.nodeRange(domain)
            let used = Int(usedInDomain[domain])
            if bucket.areUsed == nil || used > 0 && used < range.count || (used > 0) == bucket.areUsed {
                for node in max(start, range.lowerBound)..<range.upperBound
                where Int(index.nodeFit[node]) == bucket.bucket {
                    if bucket.areUsed == nil || isUsed(node) == bucket.areUsed { return node }
                }
            }
            next = firstDomain(index, withClass: bucket.bucket, from: domain + 1, exclusive: exclusive)
        }
        return nil
    }
}
