// The set of lines that are not barred, against a set of the library.

import TestKit
import Testing

@testable import Engine

@Suite struct LineSetTests {
    @Test("Lines come, go and are renamed as in any set", arguments: 1...20 as ClosedRange<UInt64>)
    func property(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var lines = LineSet()
        var known: Set<Int> = []
        for _ in 0..<500 {
            let line = random.pick(0...39)
            switch random.pick(0...2) {
            case 0:
                lines.insert(line)
                known.insert(line)
            case 1:
                lines.remove(line)
                known.remove(line)
            default:
                let other = random.pick(0...39)
                if known.contains(other) { continue }
                lines.rename(line, to: other)
                if known.remove(line) != nil { known.insert(other) }
            }
            #expect(lines.all.sorted() == known.sorted(), "seed \(seed)")
            #expect((0..<40).allSatisfy { lines.contains($0) == known.contains($0) }, "seed \(seed)")
        }
    }
}
