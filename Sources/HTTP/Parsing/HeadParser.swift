// The head of a request, line by line (RFC 9112 sections 2, 3 and 5). Each line is judged once, when its end has arrived;
// how far the search for that end got is remembered. It knows no body.

struct HeadParser {
    /// What a finished head is made of.
    struct Head {
        let line: RequestLine
        let framing: Framing
        /// The octets of the buffer that the head took.
        let end: Int
    }

    private enum Stage {
        case requestLine(blankLines: Int)
        case fields(RequestLine, start: Int)
    }

    private var stage = Stage.requestLine(blankLines: 0)
    private var lineStart = 0
    private var searched = 0
    private var framing = Framing()
    private(set) var spans: [FieldSpan] = []

    /// Goes on where the last call stopped; nil means that more octets are needed.
    ///
    /// - Parameter bytes: the head's octets from its first, so the octets of the last call and those behind them.
    mutating func advance(_ bytes: Span<UInt8>, _ limits: RequestLimits) throws(RequestFailure) -> Head? {
        if lineStart == 0, searched == 0, bytes.count > 0, bytes[0] == 0x16 {
            throw RequestFailure(400, "This port speaks plain HTTP, and was sent TLS.")
        }
        while true {
            let lineFeed = bytes.firstIndex(of: Octet.lineFeed, from: searched)
            let end = lineFeed ?? bytes.count
            try checkLimits(end, hasEnd: lineFeed != nil, limits)
            guard lineFeed != nil else {
                searched = end
                return nil
            }
            guard end > lineStart, bytes[end - 1] == Octet.carriageReturn else {
                throw RequestFailure(400, "A line of the head ends with a bare line feed.")
            }
            let line = lineStart..<end - 1
            lineStart = end + 1
            searched = end + 1
            switch stage {
            case .requestLine(let blankLines) where line.isEmpty:
                guard blankLines < limits.leadingBlankLines else {
                    throw RequestFailure(400, "There are too many empty lines before the request line.")
                }
                stage = .requestLine(blankLines: blankLines + 1)
            case .requestLine:
                stage = .fields(try RequestLine(bytes, line), start: lineStart)
                spans.reserveCapacity(8)
            case .fields(let requestLine, start: _) where line.isEmpty:
                return Head(line: requestLine, framing: framing, end: lineStart)
            case .fields(let requestLine, start: let start):
                guard spans.count < limits.headerFields else {
                    throw RequestFailure(431, "The request has more than \(limits.headerFields) header fields.")
                }
                let field = try FieldLine(bytes, line, isFirst: line.lowerBound == start)
                try framing.note(bytes, name: field.name, value: field.value)
                spans.append(FieldSpan(name: field.name, value: field.value))
                stage = .fields(requestLine, start: start)
            }
        }
    }

    /// Refuses what is too long. The rule looks the same whether the end of the line has arrived or not, so that the
    /// answer does not depend on how the octets were split.
    private func checkLimits(_ end: Int, hasEnd: Bool, _ limits: RequestLimits) throws(RequestFailure) {
        switch stage {
        case .requestLine:
            if end - lineStart > limits.requestLineBytes + 1 {
                throw RequestFailure(414, "The request line is longer than \(limits.requestLineBytes) bytes.")
            }
        case .fields(_, start: let start):
            if end - start + (hasEnd ? 1 : 0) > limits.headerBytes {
                throw RequestFailure(431, "The header fields are longer than \(limits.headerBytes) bytes.")
            }
        }
    }
}

/// A header or trailer field line.
struct FieldLine {
    let name: Range<Int>
    let value: Range<Int>

    init(_ bytes: Span<UInt8>, _ line: Range<Int>, isFirst: Bool) throws(RequestFailure) {
        var place = line.lowerBound
        if Octet.isBlank(bytes[place]) {
            throw RequestFailure(
                400,
                isFirst ? "There is white space before the first header field." : "A header field is folded over lines."
            )
        }
        while place < line.upperBound, Octet.isToken(bytes[place]) { place += 1 }
        name = line.lowerBound..<place
        guard place < line.upperBound else { throw RequestFailure(400, "A header field has no colon.") }
        guard bytes[place] == Octet.colon else {
            throw RequestFailure(
                400,
                Octet.isBlank(bytes[place])
                    ? "There is white space in a header field's name or before its colon."
                    : "A header field's name has an octet that is not allowed.")
        }
        guard !name.isEmpty else { throw RequestFailure(400, "A header field has an empty name.") }
        value = bytes.trimmed(place + 1..<line.upperBound)
        for place in value where !Octet.isFieldContent(bytes[place]) {
            throw RequestFailure(400, "A header field's value has a control character.")
        }
    }
}
