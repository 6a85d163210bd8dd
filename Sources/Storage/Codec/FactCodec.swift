// The payload of a journal record: one transaction without its revisions, which stand in the record's head.
//
//     8 bytes   time of the transaction, nanoseconds since 1970, signed, fixed
//     8 bytes   digest of the state after its last fact, fixed
//     then each fact: one byte that tells its kind (`FactTag`), and its fields in the forms of `ByteWriter`
//
// Before 1.0 a layout may change with the format version, and journals of other versions are refused. From 1.0 on a tag
// and its layout never change and are never used again, so that every later Berth reads every earlier journal: what must be
// written differently gets a tag of its own, and the reader of the old one stays.

internal import Model

enum FactTag: UInt8, CaseIterable {
    case poolPut = 1
    case poolDeleted, nodeChanged, jobSubmitted, jobPlaced, jobStarted, jobEnded, jobRequeued, jobForgotten
    case jobHeld, jobReleased, jobOpened, jobDependencyMet, priorityClassPut, priorityClassDeleted
    case tenantPut, tenantRemoved, fairShareSet
    case jobReserved, jobUnreserved, jobSearchGivenUp
    case jobArraySubmitted, jobTurnCame
    case jobPreempting, jobSpared, jobShrunk, jobCheckpointed
    case nodesChanged
    case jobRepairing, jobRepaired
    case jobGrown
}

extension ByteWriter {
    mutating func transaction(_ transaction: Transaction) {
        fixed(transaction.at.nanoseconds)
        fixed(transaction.stateDigest)
        for fact in transaction.facts { self.fact(fact) }
    }

    mutating func fact(_ fact: Fact) {
        switch fact {
        case .poolPut(let slot, let spec):
            begin(.poolPut, slot)
            self.spec(spec)
        case .poolDeleted(let slot):
            begin(.poolDeleted, slot)
        case .nodeChanged(let slot, let node, let state):
            begin(.nodeChanged, slot)
            signed(node)
            byte(state.rawValue)
        case .jobSubmitted(let number, let spec):
            begin(.jobSubmitted, number)
            self.spec(spec)
        case .jobPlaced(let number, let placement):
            begin(.jobPlaced, number)
            self.placement(placement)
        case .jobStarted(let number):
            begin(.jobStarted, number)
        case .jobEnded(let number, let end, let cause, let message):
            begin(.jobEnded, number)
            byte(end.rawValue)
            byte(cause.rawValue)
            text(message)
        case .jobRequeued(let number, let cause):
            begin(.jobRequeued, number)
            byte(cause.rawValue)
        case .jobForgotten(let number):
            begin(.jobForgotten, number)
        case .tenantPut(let spec):
            byte(FactTag.tenantPut.rawValue)
            self.spec(spec)
        case .tenantRemoved(let slot):
            byte(FactTag.tenantRemoved.rawValue)
            signed(slot.index)
        case .fairShareSet(let policy):
            byte(FactTag.fairShareSet.rawValue)
            signed(policy.halfLifeSeconds)
        case .jobHeld(let number):
            begin(.jobHeld, number)
        case .jobReleased(let number):
            begin(.jobReleased, number)
        case .jobOpened(let number):
            begin(.jobOpened, number)
        case .jobDependencyMet(let number, let dependency):
            begin(.jobDependencyMet, number)
            signed(dependency)
        case .priorityClassPut(let spec):
            byte(FactTag.priorityClassPut.rawValue)
            self.spec(spec)
        case .priorityClassDeleted(let name):
            byte(FactTag.priorityClassDeleted.rawValue)
            text(name)
        case .jobReserved(let number, let reservation):
            begin(.jobReserved, number)
            self.reservation(reservation)
        case .jobUnreserved(let number):
            begin(.jobUnreserved, number)
        case .jobSearchGivenUp(let number):
            begin(.jobSearchGivenUp, number)
        case .jobArraySubmitted(let number, let spec):
            begin(.jobArraySubmitted, number)
            self.spec(spec)
        case .jobTurnCame(let number):
            begin(.jobTurnCame, number)
        case .jobPreempting(let number, let eviction):
            begin(.jobPreempting, number)
            self.eviction(eviction)
        case .jobSpared(let number):
            begin(.jobSpared, number)
        case .jobShrunk(let number):
            begin(.jobShrunk, number)
        case .jobCheckpointed(let number):
            begin(.jobCheckpointed, number)
        case .jobRepairing(let number, let until):
            begin(.jobRepairing, number)
            signed(until.nanoseconds)
        case .jobRepaired(let number, let placement):
            begin(.jobRepaired, number)
            self.placement(placement)
        case .jobGrown(let number, let placement):
            begin(.jobGrown, number)
            self.placement(placement)
        case .nodesChanged(let slot, let runs):
            begin(.nodesChanged, slot)
            list(runs) { writer, run in
                writer.signed(run.node)
                writer.signed(run.nodeCount)
                writer.byte(run.state.rawValue)
            }
        }
    }

    private mutating func begin(_ tag: FactTag, _ slot: PoolSlot) {
        byte(tag.rawValue)
        signed(slot.index)
    }

    private mutating func begin(_ tag: FactTag, _ number: JobNumber) {
        byte(tag.rawValue)
        varint(number.value)
    }
}

extension ByteReader {
    /// A whole payload. `factCount` comes from the record's head.
    mutating func transaction(firstRevision: UInt64, factCount: Int) throws(DecodeError) -> Transaction {
        let at = Timestamp(nanoseconds: try fixed(Int64.self))
        let digest = try fixed(UInt64.self)
        // The shortest fact is a tag and a number.
        guard factCount <= remaining / 2 else { throw fail(.countTooLarge) }
        var facts: [Fact] = []
        facts.reserveCapacity(factCount)
        for _ in 0..<factCount { facts.append(try fact()) }
        try finish()
        return Transaction(firstRevision: firstRevision, at: at, facts: facts, stateDigest: digest)
    }

    mutating func fact() throws(DecodeError) -> Fact {
        switch try choice(FactTag.self) {
        case .poolPut: .poolPut(slot: try slot(), spec: try poolSpec())
        case .poolDeleted: .poolDeleted(slot: try slot())
        case .nodeChanged: .nodeChanged(slot: try slot(), node: try signed(), state: try choice(NodeState.self))
        case .jobSubmitted: .jobSubmitted(number: try number(), spec: try jobSpec())
        case .jobPlaced: .jobPlaced(number: try number(), placement: try placement())
        case .jobStarted: .jobStarted(number: try number())
        case .jobEnded:
            .jobEnded(
                number: try number(), end: try choice(JobEnd.self), cause: try choice(EndCause.self),
                message: try text())
        case .jobRequeued: .jobRequeued(number: try number(), cause: try choice(RequeueCause.self))
        case .jobForgotten: .jobForgotten(number: try number())
        case .tenantPut: .tenantPut(spec: try tenantSpec())
        case .tenantRemoved: .tenantRemoved(slot: TenantSlot(try signed()))
        case .fairShareSet: .fairShareSet(FairSharePolicy(halfLifeSeconds: try signed()))
        case .jobHeld: .jobHeld(number: try number())
        case .jobReleased: .jobReleased(number: try number())
        case .jobOpened: .jobOpened(number: try number())
        case .jobDependencyMet: .jobDependencyMet(number: try number(), dependency: try signed())
        case .priorityClassPut: .priorityClassPut(try priorityClass())
        case .priorityClassDeleted: .priorityClassDeleted(name: try text())
        case .jobReserved: .jobReserved(number: try number(), reservation: try reservation())
        case .jobUnreserved: .jobUnreserved(number: try number())
        case .jobSearchGivenUp: .jobSearchGivenUp(number: try number())
        case .jobArraySubmitted: .jobArraySubmitted(number: try number(), spec: try jobSpec())
        case .jobTurnCame: .jobTurnCame(number: try number())
        case .jobPreempting: .jobPreempting(number: try number(), eviction: try eviction())
        case .jobSpared: .jobSpared(number: try number())
        case .jobShrunk: .jobShrunk(number: try number())
        case .jobCheckpointed: .jobCheckpointed(number: try number())
        case .jobRepairing: .jobRepairing(number: try number(), until: Timestamp(nanoseconds: try signed64()))
        case .jobRepaired: .jobRepaired(number: try number(), placement: try placement())
        case .jobGrown: .jobGrown(number: try number(), placement: try placement())
        case .nodesChanged: .nodesChanged(slot: try slot(), runs: try nodeStateRuns())
        }
    }

    private mutating func nodeStateRuns() throws(DecodeError) -> [NodeStateRun] {
        try list(leastBytes: 3) { reader throws(DecodeError) in
            NodeStateRun(
                node: try reader.signed(), nodeCount: try reader.signed(), state: try reader.choice(NodeState.self))
        }
    }

    private mutating func slot() throws(DecodeError) -> PoolSlot { PoolSlot(try signed()) }

    private mutating func number() throws(DecodeError) -> JobNumber { JobNumber(try varint()) }
}
