// Properties of the parser under random octets and random splits. Every failure names its seed.

import Testing

@testable import HTTP

@Suite struct ParserPropertyTests {
    /// Streams of right requests and refusals, one behind the other.
    private func stream(_ generator: inout SeededGenerator) -> [UInt8] {
        let right = [
            "GET /a?b=c HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n", "\r\nGET / HTTP/1.0\r\n\r\n",
            "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello\r\n\r\nyo",
            "PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nT: u\r\n\r\n",
            "POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
        ]
        var text = ""
        for _ in 0..<Int.random(in: 0...4, using: &generator) { text += right.randomElement(using: &generator)! }
        if Bool.random(using: &generator) { text += Refusal.all.randomElement(using: &generator)!.bytes }
        return Array(text.utf8)
    }

    private func split(_ bytes: [UInt8], _ generator: inout SeededGenerator) -> [ArraySlice<UInt8>] {
        var pieces: [ArraySlice<UInt8>] = []
        var start = 0
        let longest = [1, 3, 20, 400].randomElement(using: &generator)!
        while start < bytes.count {
            let end = min(bytes.count, start + Int.random(in: 0...longest, using: &generator))
            pieces.append(bytes[start..<end])
            start = end
        }
        return pieces
    }

    @Test func `Any split of the octets gives the same requests and the same failure`() {
        var generator = SeededGenerator("splits")
        for _ in 0..<600 {
            let bytes = stream(&generator)
            let whole = parse([bytes[...]])
            let pieces = split(bytes, &generator)
            #expect(parse(pieces) == whole, "split at \(pieces.map(\.startIndex))")
        }
    }

    @Test func `A damaged stream is judged the same however it is split`() {
        var generator = SeededGenerator("damage")
        for _ in 0..<600 {
            var bytes = stream(&generator)
            guard !bytes.isEmpty else { continue }
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let place = bytes.indices.randomElement(using: &generator)!
                switch Int.random(in: 0...2, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.insert([0, 10, 13, 32, 58, 255].randomElement(using: &generator)!, at: place)
                default: bytes.remove(at: place)
                }
                if bytes.isEmpty { bytes = [0] }
            }
            #expect(parse(split(bytes, &generator)) == parse([bytes[...]]), "\(String(decoding: bytes, as: UTF8.self))")
        }
    }

    @Test func `Arbitrary octets are refused or awaited, and never trap`() {
        var generator = SeededGenerator("octets")
        for _ in 0..<2000 {
            let count = Int.random(in: 0...300, using: &generator)
            let alphabet: [UInt8] = Array("GET /:%.\r\n\r\nHTTP/1.1host:;\u{0}5a".utf8)
            let isText = Bool.random(using: &generator)
            let bytes = (0..<count).map { _ in
                isText ? alphabet.randomElement(using: &generator)! : UInt8.random(in: 0...255, using: &generator)
            }
            #expect(parse(split(bytes, &generator)) == parse([bytes[...]]))
        }
    }
}
