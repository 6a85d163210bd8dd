// Some of a shape's lines, by their places among all of it: added, taken out and renamed in constant time.

/// Numbers of lines, in an order that says nothing.
struct LineSet {
    private(set) var all: [Int] = []
    /// By number: where it stands in `all`, or -1.
    private var places: [Int] = []

    func contains(_ line: Int) -> Bool { line < places.count && places[line] >= 0 }

    /// Nothing where the line is there.
    mutating func insert(_ line: Int) {
        if contains(line) { return }
        while places.count <= line { places.append(-1) }
        places[line] = all.count
        all.append(line)
    }

    /// Nothing where the line is not there.
    mutating func remove(_ line: Int) {
        guard contains(line) else { return }
        let place = places[line]
        let last = all.removeLast()
        if last != line {
            all[place] = last
            places[last] = place
        }
        places[line] = -1
    }

    /// Takes note that the line called `old` is now called `new`, a number that no line has.
    mutating func rename(_ old: Int, to new: Int) {
        guard contains(old) else { return }
        remove(old)
        insert(new)
    }
}
