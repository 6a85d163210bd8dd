// A sorted list in blocks: what is inserted or removed moves no more than one block.

/// Distinct elements in rising order. Inserting and removing cost the logarithm of the count and one block.
struct SortedBlocks<Element: Comparable> {
    private static var mostInBlock: Int { 256 }

    /// None is empty.
    private var blocks: [[Element]] = []
    private(set) var count = 0

    var first: Element? { blocks.first?.first }
    var last: Element? { blocks.last?.last }

    /// The block in which an element stands or would stand.
    private func block(of element: Element) -> Int {
        var low = 0
        var high = blocks.count
        while low < high {
            let middle = (low + high) / 2
            if blocks[middle][0] <= element { low = middle + 1 } else { high = middle }
        }
        return max(0, low - 1)
    }

    private static func place(of element: Element, in block: [Element]) -> Int {
        var low = 0
        var high = block.count
        while low < high {
            let middle = (low + high) / 2
            if block[middle] < element { low = middle + 1 } else { high = middle }
        }
        return low
    }

    mutating func insert(_ element: Element) {
        count += 1
        if blocks.isEmpty { return blocks.append([element]) }
        let at = block(of: element)
        blocks[at].insert(element, at: Self.place(of: element, in: blocks[at]))
        guard blocks[at].count > Self.mostInBlock else { return }
        let half = blocks[at].count / 2
        blocks.insert(Array(blocks[at][half...]), at: at + 1)
        blocks[at].removeLast(blocks[at].count - half)
    }

    /// Precondition: it is there.
    mutating func remove(_ element: Element) {
        let at = block(of: element)
        let place = blocks.isEmpty ? 0 : Self.place(of: element, in: blocks[at])
        precondition(!blocks.isEmpty && place < blocks[at].count && blocks[at][place] == element, "nothing to remove")
        blocks[at].remove(at: place)
        if blocks[at].isEmpty { blocks.remove(at: at) }
        count -= 1
    }

    /// A place between elements, from which to read on.
    struct Position {
        fileprivate var block = 0
        fileprivate var at = 0
    }

    /// The element at a position, which moves on; nil at the end. No position outlives a change.
    func next(_ position: inout Position) -> Element? {
        guard position.block < blocks.count else { return nil }
        let element = blocks[position.block][position.at]
        position.at += 1
        if position.at == blocks[position.block].count {
            position.block += 1
            position.at = 0
        }
        return element
    }
}
