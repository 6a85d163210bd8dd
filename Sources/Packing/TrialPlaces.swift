// Where a gang of several groups or rules is tried: the places of one tier, the best first, until one holds all of it.

import Model

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

    /// Whether each group alone has room in a place.
    private func mayHold(_ gang: borrowing Gang, target at: Int, in place: Place) -> Bool {
        let pool = gang.targets[at].pool
        for group in gang.form.groups.indices where group != gang.lead {
            let here = gang.group(group, target: at)
            let quota = Quota(gang.form.groups[group], exclusive: gang.form.exclusive)
            let room =
                switch place {
                case .node(let node): Int(pools[pool].indexes[here.index].nodeFit[node])
                case .domain(let domain): pools[pool].room(pools[pool].indexes[here.index], quota, domain: domain)
                case .block(let block): pools[pool].room(pools[pool].indexes[here.index], quota, block: block)
                case .pool: Int.max
                }
            if room < here.least { return false }
        }
        return true
    }

    /// Lays the least counts out in the first place of a tier that holds them: in order of tightness for the lead group,
    /// or, where it is elastic, those that hold its most first, then by falling room; for an exclusive gang among equal ones
    /// the places that keep fewest nodes from others first, in a pool billed by the node used nodes first. What is laid out
    /// stays taken.
    mutating func firstPlace(_ gang: borrowing Gang, target at: Int, tier: Tier) -> Place? {
        let lead = gang.group(gang.lead, target: at)
        if tier >= .pool { return lay(gang, target: at, in: .pool) ? .pool : nil }
        let pool = gang.targets[at].pool
        if tier == .domain, gang.form.exclusive == nil, pools[pool].indexes[lead.index].isExact {
            return firstDomain(gang, target: at)
        }
        // The order must not move while places are tried, so they are gathered first: keys of room and index.
        var places: [(key: Int, place: Place)] = []
        let quota = Quota(gang.form.groups[gang.lead], exclusive: gang.form.exclusive)
        func add(_ room: Int, _ place: Place) {
            if room < lead.least || !mayHold(gang, target: at, in: place) { return }
            // What an elastic gang would have to do without counts first, then what is kept from others, then what is left.
            let missing = min(max(0, lead.most - room), 1 << 20)
            let left = min(max(0, room - lead.most), 1 << 21 - 1)
            let kept =
                gang.form.exclusive == nil && opensNode(place, pool: pool) ? 1 : kept(gang, target: at, by: place)
            places.append((missing << 42 | kept << 21 | left, place))
        }
        switch tier {
        case .node:
            let classes = FitClass.of(lead.least)..<pools[pool].indexes[lead.index].classes
            for fitClass in classes {
                var next = pools[pool].indexes[lead.index].firstDomain(withClass: fitClass)
                while let domain = next {
                    next = pools[pool].indexes[lead.index].firstDomain(
                        withClass: fitClass, from: domain + 1)
                    for node in pools[pool].layout.nodeRange(domain) {
                        let fit = Int(pools[pool].indexes[lead.index].nodeFit[node])
                        if FitClass.of(fit) == fitClass { add(fit, .node(node)) }
                    }
                    // A gang that is not elastic mostly stands in the first places; more are looked at when they fail.
                    if lead.most == lead.least, gang.form.exclusive == nil, places.count >= 64,
                        let found = tryAll(&places, gang, at)
                    {
                        return found
                    }
                }
            }
        case .domain:
            for domain in 0..<pools[pool].layout.domains {
                add(pools[pool].room(pools[pool].indexes[lead.index], quota, domain: domain), .domain(domain))
            }
        default:
            for block in 0..<pools[pool].layout.blocks {
                add(pools[pool].room(pools[pool].indexes[lead.index], quota, block: block), .block(block))
            }
        }
        return tryAll(&places, gang, at)
    }

    /// The same for domains of which the index knows the room exactly. Cost: the kinds of room that there are, and the
    /// domains that are looked at before one holds the gang.
    private mutating func firstDomain(_ gang: borrowing Gang, target at: Int) -> Place? {
        let lead = gang.group(gang.lead, target: at)
        let pool = gang.targets[at].pool
        let quota = Quota(gang.form.groups[gang.lead], exclusive: nil)
        // Fits of domains with the key of their room: as above, and domains of equal room in order of their number.
        var fits: [(key: Int, fit: Int)] = []
        var next = pools[pool].indexes[lead.index].buckets.first(row: 0, from: lead.least)
        while let fit = next {
            next = pools[pool].indexes[lead.index].buckets.first(row: 0, from: fit + 1)
            let room = quota.usable(fit)
            if room >= lead.least { fits.append((max(0, lead.most - room) << 32 | max(0, room - lead.most), fit)) }
        }
        fits.sort { $0 < $1 }
        var begin = 0
        while begin < fits.count {
            var end = begin + 1
            while end < fits.count && fits[end].key == fits[begin].key { end += 1 }
            var start = 0
            while trial.lays > 0 {
                var lowest: Int?
                for entry in fits[begin..<end] {
                    guard let domain = pools[pool].indexes[lead.index].byFit.first(entry.fit, from: start) else {
                        continue
                    }
                    lowest = min(lowest ?? domain, domain)
                }
                guard let domain = lowest else { break }
                start = domain + 1
                let place = Place.domain(domain)
                if mayHold(gang, target: at, in: place), lay(gang, target: at, in: place) { return place }
            }
            begin = end
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
        var nodes = 0
        for kept in pools[pool].exclusiveDomains(domain...domain, exclusive) {
            nodes += pools[pool].layout.nodeRange(kept).count
        }
        return nodes
    }

    /// The first of the places, by rising key, that holds the gang; all are tried and forgotten.
    private mutating func tryAll(
        _ places: inout [(key: Int, place: Place)], _ gang: borrowing Gang, _ at: Int
    ) -> Place? {
        // Stable, so that equal keys stay in order of their index.
        places.sort { $0.key < $1.key }
        for (_, place) in places where lay(gang, target: at, in: place) { return place }
        places.removeAll(keepingCapacity: true)
        return nil
    }
}
