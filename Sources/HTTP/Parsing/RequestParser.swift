// Requests out of octets: a pure state machine that gives the same answer however the octets are split (RFC 9112).
// It reads whole requests in place and keeps only what is partial. It knows no socket, no clock and no answer.

/// Parses the requests of one connection, one after another.
struct RequestParser {
    enum Step {
        /// Everything was taken; there is no whole request yet.
        case needsMore
        /// A whole request; `consumed` octets of the input were its own, the rest belongs to the next.
        case request(HTTPRequest, consumed: Int)
        /// The connection cannot be understood any further.
        case failure(RequestFailure)
    }

    /// What the parser waits for.
    enum Progress: Equatable {
        case idle, head, body
    }

    private enum State {
        case head
        case fixedBody(remaining: Int)
        case chunkLine
        case chunkData(remaining: Int)
        case chunkDataReturn
        case chunkDataLineFeed
        case trailers(lines: Int, bytes: Int)
        case failed(RequestFailure)
    }

    /// The interim answer that a client with `Expect: 100-continue` waits for.
    private enum Interim {
        case none, owed
    }

    let limits: RequestLimits
    private let bodyLimit: BodyLimit?
    private var state = State.head
    private var head = HeadParser()
    private var interim = Interim.none
    /// Octets that arrived and are not taken yet: a partial head from its first octet, or a partial line.
    private var pending: [UInt8] = []
    /// Octets of the partial line that hold no line feed.
    private var searched = 0
    private var request: HTTPRequest?
    private var bodyBytesAllowed = 0

    init(limits: RequestLimits, bodyLimit: BodyLimit? = nil) {
        self.limits = limits
        self.bodyLimit = bodyLimit
    }

    var progress: Progress {
        switch state {
        case .head: pending.isEmpty ? .idle : .head
        case .fixedBody, .chunkLine, .chunkData, .chunkDataReturn, .chunkDataLineFeed, .trailers: .body
        case .failed: .idle
        }
    }

    /// Octets of a body that is still arriving.
    var bufferedBodyBytes: Int { request?.body.count ?? 0 }

    /// Whether `100 Continue` is owed now. The debt is settled by asking, or by a body that came unasked.
    mutating func takeInterim() -> Bool {
        defer { interim = .none }
        guard case .owed = interim, let request else { return false }
        return request.body.isEmpty
    }

    /// Takes the next octets of the connection.
    mutating func parse(_ input: Span<UInt8>) -> Step {
        do {
            var position = 0
            guard !pending.isEmpty else {
                if let request = try advance(input, &position) { return .request(request, consumed: position) }
                if position < input.count { pending = input.array(position..<input.count) }
                return .needsMore
            }
            var buffer: [UInt8] = []
            swap(&buffer, &pending)
            let before = buffer.count
            buffer.append(input)
            if let request = try advance(buffer.span, &position) {
                return .request(request, consumed: position - before)
            }
            if position > 0 { buffer.removeFirst(position) }
            swap(&buffer, &pending)
            return .needsMore
        } catch {
            state = .failed(error)
            request = nil
            return .failure(error)
        }
    }

    /// Takes what it can of `bytes` from `position` on. In the state `head` the position is 0.
    private mutating func advance(
        _ bytes: Span<UInt8>, _ position: inout Int
    ) throws(RequestFailure) -> HTTPRequest? {
        while true {
            switch state {
            case .head:
                guard let head = try head.advance(bytes, limits) else { return nil }
                position = head.end
                if let whole = try begin(head, bytes) { return whole }
            case .fixedBody(let remaining):
                let count = takeBody(bytes, &position, remaining)
                guard count == remaining else {
                    state = .fixedBody(remaining: remaining - count)
                    return nil
                }
                return finish()
            case .chunkLine:
                let longest = ChunkLine.sizeDigits + limits.chunkExtensionBytes
                guard let line = try line(bytes, &position, longest: longest, or: tooLongChunkLine) else { return nil }
                try beginChunk(ChunkLine.size(bytes, line, limits))
            case .chunkData(let remaining):
                let count = takeBody(bytes, &position, remaining)
                guard count == remaining else {
                    state = .chunkData(remaining: remaining - count)
                    return nil
                }
                state = .chunkDataReturn
            case .chunkDataReturn:
                guard try take(Octet.carriageReturn, bytes, &position) else { return nil }
                state = .chunkDataLineFeed
            case .chunkDataLineFeed:
                guard try take(Octet.lineFeed, bytes, &position) else { return nil }
                state = .chunkLine
            case .trailers(let lines, let count):
                let longest = limits.headerBytes - count
                guard let line = try line(bytes, &position, longest: longest, or: tooLongTrailers) else { return nil }
                guard !line.isEmpty else { return finish() }
                try checkTrailer(bytes, line, before: lines)
                state = .trailers(lines: lines + 1, bytes: count + line.count + 2)
            case .failed(let failure):
                throw failure
            }
        }
    }

    /// Turns a finished head into a request, which is whole when it has no body.
    private mutating func begin(
        _ head: HeadParser.Head, _ bytes: Span<UInt8>
    ) throws(RequestFailure) -> HTTPRequest? {
        let body = try head.framing.body(version: head.line.version)
        let target = try RequestTarget(bytes, head.line.target, form: head.line.form)
        let request = HTTPRequest(
            line: head.line, target: target,
            fields: HTTPFields(head: bytes.array(0..<head.end), spans: self.head.spans),
            persistence: head.framing.persistence(version: head.line.version))
        self.head = HeadParser()
        if case .none = body { return request }
        bodyBytesAllowed = bodyLimit?(request.method, request.path) ?? limits.bodyBytes
        self.request = request
        if case .toContinue = head.framing.expectation, head.line.version == .http11 { interim = .owed }
        switch body {
        case .none:
            preconditionFailure("a request without a body is whole")
        case .fixed(let count):
            guard count <= bodyBytesAllowed else { throw tooLargeBody }
            // A promise costs the client nothing, so only a small one is trusted with memory at once.
            self.request?.body.reserveCapacity(min(count, 64 * 1024))
            state = .fixedBody(remaining: count)
        case .chunked:
            state = .chunkLine
        }
        return nil
    }

    private mutating func finish() -> HTTPRequest? {
        state = .head
        interim = .none
        defer { request = nil }
        return request
    }

    private mutating func beginChunk(_ size: UInt64) throws(RequestFailure) {
        guard size > 0 else {
            state = .trailers(lines: 0, bytes: 0)
            return
        }
        guard size <= UInt64(bodyBytesAllowed - (request?.body.count ?? 0)) else { throw tooLargeBody }
        state = .chunkData(remaining: Int(size))
    }

    private mutating func takeBody(_ bytes: Span<UInt8>, _ position: inout Int, _ remaining: Int) -> Int {
        let count = min(remaining, bytes.count - position)
        request?.body.append(bytes.extracting(position..<position + count))
        position += count
        return count
    }

    private func take(
        _ octet: UInt8, _ bytes: Span<UInt8>, _ position: inout Int
    ) throws(RequestFailure) -> Bool {
        guard position < bytes.count else { return false }
        guard bytes[position] == octet else {
            throw RequestFailure(400, "A chunk's data is longer than its size.")
        }
        position += 1
        return true
    }

    /// The next line without its end, once that has arrived.
    private mutating func line(
        _ bytes: Span<UInt8>, _ position: inout Int, longest: Int, or failure: RequestFailure
    ) throws(RequestFailure) -> Range<Int>? {
        let lineFeed = bytes.firstIndex(of: Octet.lineFeed, from: position + searched)
        let end = lineFeed ?? bytes.count
        guard end - position <= longest + 1 else { throw failure }
        guard lineFeed != nil else {
            searched = end - position
            return nil
        }
        searched = 0
        guard end > position, bytes[end - 1] == Octet.carriageReturn else {
            throw RequestFailure(400, "A line of the chunked body ends with a bare line feed.")
        }
        defer { position = end + 1 }
        return position..<end - 1
    }

    private func checkTrailer(_ bytes: Span<UInt8>, _ line: Range<Int>, before lines: Int) throws(RequestFailure) {
        guard lines < limits.headerFields else { throw tooLongTrailers }
        let field = try FieldLine(bytes, line, isFirst: lines == 0)
        guard !Framing.isForbiddenInTrailers(bytes, field.name) else {
            throw RequestFailure(400, "A trailer field would change the framing or the routing of its request.")
        }
    }

    private var tooLargeBody: RequestFailure {
        RequestFailure(413, "The body is longer than \(bodyBytesAllowed) bytes.")
    }

    private var tooLongChunkLine: RequestFailure {
        RequestFailure(400, "The line before a chunk is too long.")
    }

    private var tooLongTrailers: RequestFailure {
        RequestFailure(431, "The trailer fields are too many or too long.")
    }
}
