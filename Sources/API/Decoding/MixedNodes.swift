// A list of nodes of several shapes as pools of one shape each. Names follow from the shapes alone and from the order of the
// list, so that the same list, or a longer one that begins with it, makes the same names.

import Model

extension PoolSpec {
    /// One pool for each accelerator, instance type and shape of `nodes`, in order of their first node; what a node does
    /// not say this pool says. This pool's name is the prefix of theirs.
    func divided(_ nodes: [ListedNode]) -> [PoolSpec] {
        var indexes: [Kind: Int] = [:]
        var kinds: [(kind: Kind, listings: [NodeListing])] = []
        for node in nodes {
            let kind = Kind(
                accelerator: node.own.accelerator ?? accelerator, instanceType: node.own.instanceType ?? instanceType,
                node: node.own.node ?? self.node)
            let index = indexes[kind, default: kinds.count]
            if index == kinds.count {
                indexes[kind] = index
                kinds.append((kind, []))
            }
            kinds[index].listings.append(node.listing)
        }
        var names: Set<String> = []
        return kinds.map { kind, listings in
            var pool = self
            pool.name = kind.name(prefix: name) { names.contains($0) }
            names.insert(pool.name)
            pool.accelerator = kind.accelerator
            pool.instanceType = kind.instanceType
            pool.node = kind.node
            pool.topology = .nodes(listings)
            return pool
        }
    }
}

/// What all nodes of a pool have in common.
private struct Kind: Hashable {
    var accelerator: String
    var instanceType: String
    var node: NodeShape

    /// `openb-g2-8g-96c-384g`: accelerator, GPUs, cores and GiB. With the instance type behind it, then with a number, where
    /// that is taken.
    func name(prefix: String, isTaken: (String) -> Bool) -> String {
        let cores = node.cpuMillis % 1000 == 0 ? "\(node.cpuMillis / 1000)c" : "\(node.cpuMillis)m"
        let memory = node.memoryMiB % 1024 == 0 ? "\(node.memoryMiB / 1024)g" : "\(node.memoryMiB)mi"
        var name = "\(prefix)-\(accelerator.lowercased())-\(node.gpus)g-\(cores)-\(memory)"
        if isTaken(name) && !instanceType.isEmpty { name += "-" + instanceType.lowercased() }
        if !isTaken(name) { return name }
        var number = 2
        while isTaken("\(name)-\(number)") { number += 1 }
        return "\(name)-\(number)"
    }
}
