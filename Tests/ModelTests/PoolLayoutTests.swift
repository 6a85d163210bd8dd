// How nodes are numbered and named, and when one layout is the beginning of another.

import Model
import TestKit
import Testing

@Suite struct PoolLayoutTests {
    static func listing(_ name: String, _ domain: String, _ block: String) -> NodeListing {
        NodeListing(name: name, domain: domain, block: block)
    }

    @Test func `Counted nodes have derived names that growth does not change`() {
        let layout = PoolLayout(.counts(blocks: 4, domainsPerBlock: 20, nodesPerDomain: 6))
        #expect(layout.nodeCount == 480)
        #expect(layout.name(ofNode: 0) == "b00/d000/n00")
        #expect(layout.name(ofNode: 3 * 120 + 17 * 6 + 4) == "b03/d017/n04")
        #expect(layout.name(ofDomain: 77) == "b03/d017")
        #expect(layout.name(ofBlock: 3) == "b03")
        let wide = PoolLayout(.counts(blocks: 101, domainsPerBlock: 1001, nodesPerDomain: 1))
        #expect(wide.name(ofNode: 0) == "b00/d000/n00")
        #expect(wide.name(ofNode: 101_100) == "b100/d1000/n00")
    }

    @Test(arguments: [
        "", "b0/d000/n00", "b00/d000", "b00/d000/n00/", "b00/d000/n06", "b04/d000/n00", "b00/d020/n00", "b00/d00/n00",
        "b000/d000/n00", "b00/d000/n-1", "b00/d000/n+1", "b00/d000/n0x", "d000/b00/n00", "b9999999999/d000/n00",
        "b00/d000/n٠٠",
    ])
    func `Only the one spelling of a node's name finds it`(name: String) {
        let layout = PoolLayout(.counts(blocks: 4, domainsPerBlock: 20, nodesPerDomain: 6))
        #expect(layout.node(named: name) == nil)
    }

    @Test func `Listed nodes stand by the first appearance of their block and domain`() {
        let layout = PoolLayout(
            .nodes([
                Self.listing("n0", "east", "B"), Self.listing("n1", "west", "B"), Self.listing("n2", "east", "A"),
                Self.listing("n3", "east", "B"), Self.listing("n4", "east", "A"), Self.listing("n5", "north", "B"),
            ]))
        #expect((0..<6).map { layout.name(ofNode: $0) } == ["n0", "n3", "n1", "n5", "n2", "n4"])
        #expect(layout.domainStart == [0, 2, 3, 4, 6])
        #expect(layout.blockStart == [0, 3, 4])
        #expect((0..<4).map { layout.name(ofDomain: $0) } == ["east", "west", "north", "east"])
        #expect((0..<2).map { layout.name(ofBlock: $0) } == ["B", "A"])
        #expect(layout.node(named: "n5") == 3)
        #expect(layout.node(named: "n9") == nil)
    }

    @Test func `Listed domains that share a name are found behind their block's`() {
        let layout = PoolLayout(
            .nodes([
                Self.listing("n0", "east", "B"), Self.listing("n1", "west", "B"), Self.listing("n2", "east", "A"),
                Self.listing("n3", "east", "B"), Self.listing("n4", "east", "A"), Self.listing("n5", "north", "B"),
            ]))
        #expect(layout.nodes(of: .pool) == 0..<6)
        #expect(layout.nodes(of: .block("B")) == 0..<4)
        #expect(layout.nodes(of: .block("A")) == 4..<6)
        #expect(layout.nodes(of: .block("C")) == nil)
        #expect(layout.nodes(of: .domain("west")) == 2..<3)
        #expect(layout.nodes(of: .domain("east")) == nil)
        #expect(layout.nodes(of: .domain("B/east")) == 0..<2)
        #expect(layout.nodes(of: .domain("A/east")) == 4..<6)
        #expect(layout.nodes(of: .domain("A/west")) == nil)
    }

    @Test func `A domain has all its cliques, counted or listed`() {
        let counted = PoolLayout(.counts(blocks: 2, domainsPerBlock: 3, nodesPerDomain: 4, cliquesPerDomain: 2))
        #expect(counted.nodes(of: .domain("b01/d001")) == 16..<20)
        #expect(counted.nodes(of: .block("b01")) == 12..<24)
        #expect(counted.nodes(of: .block("b02")) == nil)
        #expect(counted.nodes(of: .block("b1")) == nil)
        #expect(counted.nodes(of: .domain("b01/d003")) == nil)
        #expect(counted.nodes(of: .domain("b01")) == nil)
        let listed = PoolLayout(
            .nodes([
                NodeListing(name: "n0", domain: "d", clique: "x", block: "A"),
                NodeListing(name: "n1", domain: "e", block: "A"),
                NodeListing(name: "n2", domain: "d", clique: "y", block: "A"),
            ]))
        #expect(listed.nodes(of: .domain("d")) == 0..<2)
    }

    @Test(arguments: UInt64(1)...60)
    func `Each node is found by its name, and stands in its domain and block`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let layout = PoolLayout(random.pool().topology)
        var node = 0
        for block in 0..<layout.blockCount {
            for domain in Int(layout.blockStart[block])..<Int(layout.blockStart[block + 1]) {
                #expect(layout.block(ofDomain: domain) == block, "seed \(seed)")
                for number in Int(layout.domainStart[domain])..<Int(layout.domainStart[domain + 1]) {
                    #expect(number == node, "seed \(seed)")
                    #expect(layout.domain(ofNode: node) == domain, "seed \(seed)")
                    #expect(layout.node(named: layout.name(ofNode: node)) == node, "seed \(seed)")
                    node += 1
                }
            }
        }
        #expect(node == layout.nodeCount, "seed \(seed)")
    }

    @Test(arguments: UInt64(1)...60)
    func `A pool that grew begins as it was, and a smaller one does not begin as it`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let pool = random.pool()
        let (small, large) = (PoolLayout(pool.topology), PoolLayout(pool.grown))
        #expect(small.isPrefix(of: small), "seed \(seed)")
        #expect(small.isPrefix(of: large), "seed \(seed)")
        #expect(large.isPrefix(of: small) == (large.nodeCount == small.nodeCount), "seed \(seed)")
    }

    @Test func `A layout whose domains, blocks or names differ is no beginning`() {
        func counts(_ blocks: Int, _ domains: Int, _ nodes: Int) -> PoolLayout {
            PoolLayout(.counts(blocks: blocks, domainsPerBlock: domains, nodesPerDomain: nodes))
        }
        #expect(!counts(1, 2, 3).isPrefix(of: counts(2, 3, 3)))
        #expect(!counts(1, 2, 3).isPrefix(of: counts(2, 2, 4)))
        // One more digit in the names of new blocks leaves the others as they were.
        #expect(counts(100, 1, 1).isPrefix(of: counts(101, 1, 1)))
        let base = [Self.listing("n0", "d0", "b0"), Self.listing("n1", "d0", "b0")]
        let layout = PoolLayout(.nodes(base))
        #expect(layout.isPrefix(of: PoolLayout(.nodes(base + [Self.listing("n2", "d1", "b1")]))))
        #expect(!layout.isPrefix(of: PoolLayout(.nodes(base + [Self.listing("n2", "d0", "b0")]))))
        #expect(!layout.isPrefix(of: PoolLayout(.nodes(base + [Self.listing("n2", "d1", "b0")]))))
        #expect(!layout.isPrefix(of: PoolLayout(.nodes([base[1], base[0], Self.listing("n2", "d1", "b1")]))))
        #expect(!layout.isPrefix(of: counts(1, 1, 2)))
    }
}
