// The codec: what is written comes back, in few bytes, and no bytes make the reader trap.

import Model
import TestKit
import Testing

@testable import Storage

@Suite("Codec")
struct CodecTests {
    @Test("every fact comes back as it was written", arguments: 0..<40)
    func factsComeBack(seed: UInt64) throws {
        var draw = Draw(seed: seed)
        for kind in 0..<FactTag.allCases.count {
            for _ in 0..<20 {
                let fact = draw.fact(kind: kind)
                var writer = ByteWriter()
                writer.fact(fact)
                #expect(writer.bytes[0] == UInt8(kind + 1), "the draws cover every kind of fact")
                var reader = ByteReader(writer.bytes)
                let back = try reader.fact()
                // Equal strings may differ in bytes, so the text of both is compared byte by byte too.
                #expect(back == fact && "\(back)".utf8.elementsEqual("\(fact)".utf8), "seed \(seed)")
                #expect(reader.isAtEnd)
            }
        }
    }

    @Test("a new field of a stored type is noticed here, for the codec must learn it")
    func storedFieldsAreCounted() {
        var draw = Draw(seed: 1)
        func fields(_ value: some Any) -> Int { Mirror(reflecting: value).children.count }
        #expect(fields(draw.jobSpec()) == 23)
        #expect(fields(Dependency(job: "")) == 2)
        #expect(fields(draw.priorityClass()) == 5)
        #expect(fields(PriorityClassImage(spec: draw.priorityClass(), revision: 1)) == 2)
        #expect(fields(JobArray(count: 1)) == 2)
        #expect(fields(JobArrayImage(number: JobNumber(1), spec: draw.jobSpec(), forgotten: [])) == 3)
        #expect(fields(WorkerGroup(count: 1, demand: Demand(gpus: 1))) == 6)
        #expect(fields(Demand(gpus: 1)) == 4)
        #expect(fields(Segment(size: 1, tier: .node)) == 2)
        #expect(fields(Spread.none) == 2)
        #expect(fields(Accelerator("")) == 2)
        #expect(fields(Scope.pool) == 3)
        #expect(fields(Split(maxPools: 2)) == 2)
        #expect(fields(PlaceList()) == 3)
        #expect(fields(Label(name: "", value: "")) == 2)
        #expect(fields(draw.poolSpec()) == 14)
        #expect(fields(NodeShape(gpus: 1, cpuMillis: 1, memoryMiB: 1)) == 3)
        #expect(fields(NodeListing(name: "", domain: "", block: "")) == 5)
        #expect(fields(draw.placement()) == 5)
        #expect(fields(NodeStateRun(node: 0, nodeCount: 1, state: .down)) == 3)
        #expect(fields(PlacementCost.zero) == 3)
        let need = WorkerNeed(gpus: 1, cpuMillis: 1, memoryMiB: 1)
        #expect(fields(need) == 4)
        #expect(fields(PlacementPart(group: 0, pool: PoolSlot(0), need: need, runEnd: 0)) == 4)
        #expect(fields(NodeRun(node: 0, nodeCount: 1, gpuMask: 1, workers: 1)) == 4)
        #expect(fields(draw.mix()) == 7)
        #expect(
            fields(MixEntry(demand: Demand(gpus: 1), workers: 1, tier: .node, accelerators: [], weight: 1)) == 6)
        #expect(fields(draw.life()) == 30)
        #expect(fields(draw.eviction()) == 4)
        #expect(fields(EvictionCount()) == 2)
        #expect(fields(draw.image(jobs: 1)) == 14)
        #expect(fields(PoolImage(spec: draw.poolSpec(), isDeleted: false, revision: 1, unready: [])) == 4)
        #expect(fields(Job(number: JobNumber(1), spec: draw.jobSpec(), life: draw.life())) == 5)
        #expect(fields(draw.transaction(firstRevision: 1)) == 4)
    }

    @Test("a transaction that submits and places a usual job takes less than 220 bytes on disk")
    func usualTransactionsAreSmall() {
        let spec = JobSpec(
            id: "llm-pretrain-0042", name: "pretrain", tenant: "research", priority: 500,
            workers: [WorkerGroup(count: 64, demand: Demand(gpus: 4))], accelerators: [Accelerator("GB200")],
            scope: Scope(.block),
            maxRuntimeSeconds: 86_400, labels: [Label(name: "team", value: "foundation")])
        let runs = (0..<4).map { NodeRun(node: UInt32(100_000 + $0 * 18), nodeCount: 16, gpuMask: 0xF, workers: 1) }
        let need = WorkerNeed(gpus: 4, cpuMillis: 144_000, memoryMiB: 960_000)
        let placement = Placement(
            tier: .block, cost: PlacementCost(price: 1_766_400_000, fragmentation: 12_345_678, topology: 88_320_000),
            parts: [PlacementPart(group: 0, pool: PoolSlot(3), need: need, runEnd: runs.count)], runs: runs)
        var writer = ByteWriter()
        writer.transaction(
            Transaction(
                firstRevision: 1_000_000, at: Timestamp(nanoseconds: 1_795_000_000_000_000_000),
                facts: [
                    .jobSubmitted(number: JobNumber(500_000), spec: spec),
                    .jobPlaced(number: JobNumber(500_000), placement: placement),
                ], stateDigest: .max))
        #expect(writer.count + Journal.recordOverheadBytes < 220)
    }

    @Test("a gang over thousands of nodes takes about two bytes a run")
    func manyRunsAreSmall() {
        let runs = (0..<5000).map { NodeRun(node: UInt32($0 * 7), nodeCount: 1, gpuMask: 0xFF, workers: 1) }
        let need = WorkerNeed(gpus: 8, cpuMillis: 1, memoryMiB: 1)
        let placement = Placement(
            tier: .pool, parts: [PlacementPart(group: 0, pool: PoolSlot(0), need: need, runEnd: runs.count)],
            runs: runs)
        var writer = ByteWriter()
        writer.placement(placement)
        #expect(writer.count < 5000 * 2)
    }

    @Test("arbitrary bytes end in a value or an error, never in a trap", arguments: 0..<20)
    func arbitraryBytesAreSafe(seed: UInt64) {
        var draw = Draw(seed: seed)
        for _ in 0..<500 {
            var bytes = (0..<draw.below(200)).map { _ in UInt8(truncatingIfNeeded: draw.next()) }
            if !bytes.isEmpty { bytes[0] = UInt8(draw.below(18)) }
            var reader = ByteReader(bytes)
            _ = try? reader.fact()
            var second = ByteReader(bytes)
            _ = try? second.transaction(firstRevision: 1, factCount: draw.below(1 << 32))
            var third = ByteReader(bytes)
            var images = ImageReader()
            _ = try? images.add(&third, fileBytes: bytes.count)
        }
    }

    @Test("a fact with changed bytes ends in a value or an error, and a shortened one in an error", arguments: 0..<20)
    func changedBytesAreSafe(seed: UInt64) {
        var draw = Draw(seed: seed)
        for _ in 0..<100 {
            var writer = ByteWriter()
            let kind = draw.below(FactTag.allCases.count)
            writer.fact(draw.fact(kind: kind))
            var short = ByteReader(writer.bytes, 0..<draw.below(writer.count))
            #expect(throws: DecodeError.self) { try short.fact() }
            for _ in 0..<3 { writer.bytes[draw.below(writer.count)] = UInt8(truncatingIfNeeded: draw.next()) }
            var reader = ByteReader(writer.bytes)
            _ = try? reader.fact()
        }
    }

    @Test("a number has one encoding only")
    func numbersAreStrict() throws {
        for value in [0, 1, 127, 128, 1 << 14, 1 << 62, UInt64.max] {
            var writer = ByteWriter()
            writer.varint(value)
            var reader = ByteReader(writer.bytes)
            #expect(try reader.varint() == value)
        }
        var overlong = ByteReader([0x80, 0x00])
        #expect(throws: DecodeError(reason: .overlongNumber, position: 2)) { try overlong.varint() }
        var tooLarge = ByteReader([UInt8](repeating: 0xFF, count: 9) + [2])
        #expect(throws: DecodeError(reason: .numberOutOfRange, position: 10)) { try tooLarge.varint() }
    }

    @Test("the checksum is XXH64 as others compute it")
    func checksumIsKnown() {
        func hash(_ text: String) -> UInt64 { XXHash64.hash(Array(text.utf8).span) }
        #expect(hash("") == 0xEF46_DB37_51D8_E999)
        #expect(hash("a") == 0xD24E_C4F1_A98C_6E5B)
        #expect(hash("abc") == 0x44BC_2CF5_AD77_0999)
        #expect(hash("Nobody inspects the spammish repetition") == 0xFBCE_A83C_8A37_8BF1)
    }
}
