// Where a job goes: whole gangs, accelerators by preference, price, tightness, and lists of places.

import Engine
import Model
import TestKit
import Testing

@Suite struct PlaceTests {
    @Test("A gang is placed whole or not at all")
    func wholeGangs() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", nodes: 3)))
        harness.submit("a", workers: 2)
        harness.submit("b", workers: 2)
        #expect(harness.state(of: "b") == .queued)
        #expect(harness.engine.state.pools[0].gpusAllocated == 16)
        harness.run(.cancel(id: "a"))
        #expect(harness.engine.state.jobs["b"]?.life.placement?.gpuMilli == 16_000)
    }

    @Test("The accelerator named first wins over price, price over tightness, and the lowest pool breaks a tie")
    func preference() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("cheap", nodes: 4, accelerator: "h100", price: 1)))
        harness.run(.putPool(.sample("dear", nodes: 4, accelerator: "b200", price: 100)))
        harness.run(.putPool(.sample("dearer", nodes: 1, accelerator: "b200", price: 200)))
        harness.submit("named", accelerators: ["b200", "h100"])
        #expect(harness.pool(of: "named") == "dear")
        harness.submit("any")
        #expect(harness.pool(of: "any") == "cheap")
        harness.run(.putPool(.sample("twin", nodes: 4, accelerator: "h100", price: 1)))
        harness.submit("small", gpus: 4)
        #expect(harness.pool(of: "small") == "cheap")
        harness.submit("tight", gpus: 4)
        #expect(harness.pool(of: "tight") == "cheap")
        // Three whole nodes are left in the one and four in the other: four workers fit the other only.
        harness.submit("four", workers: 4, accelerators: ["h100"])
        #expect(harness.pool(of: "four") == "twin")
    }

    @Test("At one price the tightest fit wins, even in a later pool")
    func tightest() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("wide", nodes: 8)))
        harness.run(.putPool(.sample("narrow", nodes: 2)))
        harness.submit("a", workers: 2)
        #expect(harness.pool(of: "a") == "narrow")
    }

    @Test("A new price changes the next decision and no earlier one")
    func priceChange() {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("one", price: 10)))
        harness.run(.putPool(.sample("two", price: 20)))
        harness.submit("a")
        harness.run(.putPool(.sample("two", price: 5)))
        harness.submit("b")
        #expect(harness.pool(of: "a") == "one")
        #expect(harness.pool(of: "b") == "two")
    }

    @Test(
        "Lists allow and deny by provider, by pool, by region alone and by provider and region",
        arguments: [
            (PlaceList(providers: ["gcp"]), PlaceList(), "g-east"),
            (PlaceList(regions: ["west"]), PlaceList(), "a-west"),
            (PlaceList(regions: ["gcp/east"]), PlaceList(), "g-east"),
            (PlaceList(pools: ["g-west"]), PlaceList(), "g-west"),
            (PlaceList(), PlaceList(regions: ["east"]), "a-west"),
            (PlaceList(), PlaceList(regions: ["aws/east"]), "a-west"),
            (PlaceList(), PlaceList(providers: ["aws"]), "g-east"),
            (PlaceList(), PlaceList(pools: ["a-east", "a-west", "g-east"]), "g-west"),
            (PlaceList(providers: ["aws"], regions: ["gcp/east"]), PlaceList(), nil),
            (PlaceList(regions: ["aws"]), PlaceList(), nil),
            (PlaceList(pools: ["a-east"]), PlaceList(providers: ["aws"]), nil),
        ] as [(PlaceList, PlaceList, String?)])
    func lists(allow: PlaceList, deny: PlaceList, expected: String?) {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("a-east", provider: "aws", region: "east", price: 1)))
        harness.run(.putPool(.sample("a-west", provider: "aws", region: "west", price: 2)))
        harness.run(.putPool(.sample("g-east", provider: "gcp", region: "east", price: 3)))
        harness.run(.putPool(.sample("g-west", provider: "gcp", region: "west", price: 4)))
        harness.submit("a", allow: allow, deny: deny)
        #expect(harness.pool(of: "a") == expected)
    }

    @Test("Scope keeps a gang within a node, domain or block", arguments: [Tier.node, .domain, .block, .pool])
    func scopes(scope: Tier) {
        var harness = EngineHarness()
        harness.run(.putPool(.sample("p", blocks: 2, domains: 2, nodes: 2)))
        let most = [Tier.node: 2, .domain: 4, .block: 8, .pool: 16][scope] ?? 0
        harness.submit("too large", gpus: 4, workers: most + 1, scope: scope)
        harness.submit("fits", gpus: 4, workers: most, scope: scope)
        #expect(harness.state(of: "too large") == .queued)
        #expect(harness.engine.state.jobs["fits"]?.life.placement?.tier == scope)
    }
}
