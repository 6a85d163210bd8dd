// Owns the guess at what a mistyped name was meant to be.
// It must not know what the names are of.

/// The candidate that `name` was most likely meant to be, or nil if none is near.
///
/// Edit distance with swaps of neighbours (optimal string alignment), blind to ASCII case and to `_` and `-`; at most
/// one edit for each three letters. The first of equally near candidates wins. O(candidates x length squared),
/// and names longer than 64 bytes are near nothing.
public func nearest(to name: String, among candidates: some Sequence<String>) -> String? {
    let letters = folded(name)
    guard letters.count <= 64 else { return nil }
    var best: (distance: Int, candidate: String)?
    for candidate in candidates {
        let other = folded(candidate)
        let allowed = max(1, max(letters.count, other.count) / 3)
        guard other.count <= 64, abs(letters.count - other.count) <= allowed else { continue }
        let distance = editDistance(letters, other)
        // A single letter is one edit from any other; that says nothing.
        if distance <= allowed, distance < max(letters.count, other.count), distance < best?.distance ?? Int.max {
            best = (distance, candidate)
        }
    }
    return best?.candidate
}

private func folded(_ name: String) -> [UInt8] {
    name.utf8.prefix(200).compactMap { byte in
        switch byte {
        case UInt8(ascii: "_"), UInt8(ascii: "-"): nil
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
        default: byte
        }
    }
}

private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var beforeLast = [Int](repeating: 0, count: right.count + 1)
    var last = Array(0...right.count)
    var row = last
    for i in left.indices {
        row[0] = i + 1
        for j in right.indices {
            row[j + 1] = min(last[j + 1] + 1, row[j] + 1, last[j] + (left[i] == right[j] ? 0 : 1))
            if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                row[j + 1] = min(row[j + 1], beforeLast[j - 1] + 1)
            }
        }
        (beforeLast, last, row) = (last, row, beforeLast)
    }
    return last[right.count]
}
