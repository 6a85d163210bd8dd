// Plans of many gangs: every place can be taken, nothing that fits is left out, and planning changes nothing.

import Model
import Packing
import TestKit
import Testing

@Suite struct BatchTests {
    @Test(arguments: UInt64(1)...60)
    func `A plan can be taken whole, leaves out nothing that fits, and changes nothing by itself`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let features = seed % 2 == 0 ? random.features() : [.shares]
        var harness = Harness(
            seed: seed, pools: 1...3, isSmall: seed % 4 == 0, features: features, hasMix: seed % 3 > 0)
        for _ in 0..<8 { harness.step() }
        var gangs: [Gang] = []
        var forms: [GangForm] = []
        var candidates: [[Candidate]] = []
        for job in harness.jobs {
            forms.append(GangForm(job, scope: job.scope.required))
            candidates.append(harness.candidates())
            gangs.append(harness.packer.gang(forms[forms.count - 1], pools: candidates[candidates.count - 1]))
        }
        // Resolving one gang may make an index, which outdates none.
        let requests = (0..<40).map { _ in random.pick(0...gangs.count - 1) }
        let before = harness.packer.digest()
        let places = harness.packer.plan(gangs, requests: requests, steps: 500)
        let again = harness.packer.plan(gangs, requests: requests, steps: 500)
        #expect(places == again, "seed \(seed)")
        let (after, fault) = (harness.packer.digest(), harness.packer.firstFault())
        #expect(after == before, "seed \(seed)")
        #expect(fault == nil, "seed \(seed)")
        for (request, place) in places.enumerated() {
            guard let place else { continue }
            let canTake = harness.packer.canTake(place)
            #expect(canTake, "seed \(seed), request \(request)")
            if !canTake { return }
            let broken = PlacementRules(
                forms[requests[request]], candidates: candidates[requests[request]], fleet: harness.reference.fleet,
                placement: place
            ).broken
            #expect(broken.isEmpty, "seed \(seed): \(broken)")
            harness.packer.take(place)
            let wrong = harness.reference.fleet.take(place)
            #expect(wrong.isEmpty, "seed \(seed): \(wrong)")
        }
        var found = Placement.none
        for (request, place) in places.enumerated() where place == nil {
            let fits = harness.packer.find(gangs[requests[request]], into: &found)
            #expect(!fits, "seed \(seed), request \(request)")
        }
    }
}
