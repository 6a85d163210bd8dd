// Rows of bits, and buckets made of them, against sets of integers.

import TestKit
import Testing

@testable import Packing

@Suite struct BitRowsTests {
    @Test(arguments: [1, 2, 63, 64, 65, 127, 128, 640, 4095, 4096, 4097, 9000])
    func `Rows of bits behave as sets`(width: Int) {
        var random = SeededRandom(seed: UInt64(width))
        let rows = BitRows(rows: 3, width: width)
        var sets = [Set<Int>](repeating: [], count: 3)
        for _ in 0..<300 {
            let row = random.pick(0...2)
            let bit = random.chance(percent: 20) ? random.pick([0, width - 1]) : random.pick(0...width - 1)
            if random.chance(percent: 55) {
                rows.insert(bit, row: row)
                sets[row].insert(bit)
            } else {
                let gone = random.chance(percent: 50) ? sets[row].min() ?? bit : bit
                rows.remove(gone, row: row)
                sets[row].remove(gone)
            }
            let start = random.pick(0...width)
            let end = random.pick(start...width)
            let set = sets[row]
            let other = (row + 1) % 3
            let first = (rows.first(row: row), rows.first(row: row, from: start))
            let last = (rows.last(row: row, from: start), rows.last(row: row, from: -1))
            let count = rows.count(row: row, in: start..<end)
            let contains = rows.contains(bit, row: row)
            let common = rows.firstCommon(row: row, with: rows, otherRow: other)
            let commonFrom = rows.firstCommon(row: row, with: rows, otherRow: other, from: start)
            #expect(first.0 == set.min())
            #expect(first.1 == set.filter { $0 >= start }.min())
            #expect(last.0 == set.filter { $0 <= start }.max())
            #expect(last.1 == nil)
            #expect(count == set.count { (start..<end).contains($0) })
            #expect(contains == set.contains(bit))
            #expect(common == set.intersection(sets[other]).min())
            #expect(commonFrom == set.intersection(sets[other]).filter { $0 >= start }.min())
        }
    }

    @Test(arguments: [1, 3, 8, 9, 40, 300])
    func `Buckets behave as sets, and keep memory for those that have members only`(count: Int) {
        var random = SeededRandom(seed: UInt64(count))
        let width = 20
        var buckets = Buckets(count: count, width: width)
        let empty = buckets.bytes
        var bucketOf = [Int?](repeating: nil, count: width)
        for _ in 0..<1000 {
            let member = random.pick(0...width - 1)
            let bucket = random.pick(0...count - 1)
            if let old = bucketOf[member] {
                let isEmpty = buckets.remove(member, bucket: old)
                bucketOf[member] = nil
                #expect(isEmpty == !bucketOf.contains(old))
            }
            if random.chance(percent: 90) {
                let wasEmpty = buckets.insert(member, bucket: bucket)
                #expect(wasEmpty == !bucketOf.contains(bucket))
                bucketOf[member] = bucket
            }
            let start = random.pick(0...width - 1)
            let expected = (0..<width).filter { bucketOf[$0] == bucket }
            let found = (buckets.first(bucket), buckets.first(bucket, from: start))
            #expect(found.0 == expected.first)
            #expect(found.1 == expected.first { $0 >= start })
            let counts = (buckets.members(bucket), buckets.count(bucket, in: start..<width))
            #expect(counts.0 == expected.count)
            #expect(counts.1 == expected.count { $0 >= start })
            let contains = buckets.contains(member, bucket: bucket)
            #expect(contains == (bucketOf[member] == bucket))
        }
        // At most 20 buckets have members at once, which 32 rows of two words hold.
        let bytes = buckets.bytes
        #expect(bytes <= empty + 32 * (2 * 8 + 4))
    }
}
