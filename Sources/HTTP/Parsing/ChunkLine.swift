// The line before a chunk: its size and its extensions (RFC 9112 section 7.1), read strictly, without white space.
// It knows no limits of bodies.

enum ChunkLine {
    /// The longest size.
    static let sizeDigits = 16

    /// The size of the chunk that follows.
    static func size(
        _ bytes: Span<UInt8>, _ line: Range<Int>, _ limits: RequestLimits
    ) throws(RequestFailure) -> UInt64 {
        var size: UInt64 = 0
        var place = line.lowerBound
        while place < line.upperBound, let digit = Octet.hexadecimal(bytes[place]) {
            guard place - line.lowerBound < sizeDigits else {
                throw RequestFailure(400, "A chunk's size has more than \(sizeDigits) digits.")
            }
            size = size << 4 | UInt64(digit)
            place += 1
        }
        guard place > line.lowerBound, place == line.upperBound || bytes[place] == Octet.semicolon else {
            throw RequestFailure(400, "A chunk's size is not a hexadecimal number.")
        }
        guard line.upperBound - place <= limits.chunkExtensionBytes else {
            throw RequestFailure(400, "A chunk's extensions are longer than \(limits.chunkExtensionBytes) bytes.")
        }
        while place < line.upperBound {
            guard bytes[place] >= Octet.space, bytes[place] != Octet.delete else {
                throw RequestFailure(400, "A chunk's extensions have a control character.")
            }
            place += 1
        }
        return size
    }
}
