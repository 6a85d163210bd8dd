// What the tests of HTTP share: seeded randomness, a parser fed in pieces, a server for one test, and a raw client.
// It knows no case.

import Dispatch
import Glibc
import Synchronization
import Testing

@testable import HTTP

/// SplitMix64 (Steele, Lea, Flood 2014), seeded from BERTH_SEED or anew. The seed is printed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(_ name: String) {
        let given = unsafe getenv("BERTH_SEED").flatMap { unsafe UInt64(String(cString: $0)) }
        state = given ?? UInt64.random(in: .min ... .max)
        print("\(name): BERTH_SEED=\(state)")
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

/// All that a parser makes of a stream.
struct Parsed: Equatable, CustomStringConvertible {
    var requests: [String] = []
    var failure: RequestFailure?

    var description: String { "\(requests) \(failure.map { "\($0.status) \($0.detail)" } ?? "no failure")" }
}

func summary(_ request: HTTPRequest) -> String {
    let fields = request.fields.all.map { "\($0.name)=\($0.value)" }
    return "\(request.method.name) \(request.target) \(request.version) \(request.path) \(request.query) \(fields) "
        + "\(request.persistence) \(String(decoding: request.body, as: UTF8.self))"
}

/// Feeds the pieces one after another, as a connection would.
func parse(_ pieces: [ArraySlice<UInt8>], limits: RequestLimits = RequestLimits()) -> Parsed {
    var parser = RequestParser(limits: limits)
    var parsed = Parsed()
    for piece in pieces {
        var rest = Array(piece)
        while true {
            switch parser.parse(rest.span) {
            case .needsMore: break
            case .request(let request, let consumed):
                parsed.requests.append(summary(request))
                rest.removeFirst(consumed)
                continue
            case .failure(let failure):
                parsed.failure = failure
                return parsed
            }
            break
        }
    }
    return parsed
}

func parse(_ text: String, limits: RequestLimits = RequestLimits()) -> Parsed {
    parse([Array(text.utf8)[...]], limits: limits)
}

/// The only request of a text that is one request.
func request(_ text: String) throws -> HTTPRequest {
    var parser = RequestParser(limits: RequestLimits())
    let bytes = Array(text.utf8)
    switch parser.parse(bytes.span) {
    case .request(let request, let consumed):
        #expect(consumed == bytes.count)
        return request
    case .failure(let failure): throw failure
    case .needsMore: throw RequestFailure(400, "The text is no whole request.")
    }
}

/// Runs a server for one test.
func withServer(
    _ configure: (inout HTTPConfiguration) -> Void = { _ in }, handler: @escaping HTTPHandler,
    _ body: (HTTPServer, UInt16) throws -> Void
) throws {
    var configuration = HTTPConfiguration()
    configuration.loopCount = 1
    configure(&configuration)
    let server = HTTPServer(configuration, handler: handler)
    let port = try server.start()
    defer { server.stop() }
    try body(server, port)
}

/// Answers with the method, the target and the body.
let echo: HTTPHandler = { request, responder in
    let text = "\(request.method.name) \(request.target) \(String(decoding: request.body, as: UTF8.self))"
    responder.send(.text(200, text))
}

/// A connection that sends exactly what it is told.
struct RawClient: ~Copyable {
    private let connection: ClientConnection

    init(_ port: UInt16, timeoutMilliseconds: Int = 20_000) throws {
        connection = try ClientConnection(host: "127.0.0.1", port: port, timeoutMilliseconds: timeoutMilliseconds)
    }

    func send(_ text: String) throws { try connection.write(Array(text.utf8)) }

    func receive(to method: HTTPMethod = .get) throws -> HTTPClientResponse {
        try connection.readResponse(to: method).0
    }

    func receiveText(to method: HTTPMethod = .get) throws -> String {
        String(decoding: try receive(to: method).body, as: UTF8.self)
    }

    /// Everything until the server closes.
    func receiveToEnd() throws -> String {
        String(decoding: try connection.readToEnd(), as: UTF8.self)
    }

    /// Waits until something can be read.
    func waitForInput() throws { #expect(eventually { connection.isStale }) }

    /// Closing will then reset the connection.
    func resetOnClose() throws {
        var option = linger(l_onoff: 1, l_linger: 0)
        let size = socklen_t(MemoryLayout<linger>.size)
        unsafe _ = setsockopt(connection.descriptor, SOL_SOCKET, SO_LINGER, &option, size)
    }

    func endOutput() { System.shutdownOutput(connection.descriptor) }
}

/// Responders that a test answers when it likes.
final class Inbox: Sendable {
    private let answers = Mutex<[PendingAnswer]>([])
    private let arrivals = DispatchSemaphore(value: 0)

    func put(_ answer: PendingAnswer) {
        answers.withLock { $0.append(answer) }
        arrivals.signal()
    }

    /// Waits until `count` more have arrived, and takes all.
    func take(_ count: Int) throws -> [PendingAnswer] {
        for _ in 0..<count {
            try #require(arrivals.wait(timeout: .now() + .seconds(20)) == .success)
        }
        return answers.withLock { answers in
            defer { answers = [] }
            return answers
        }
    }
}

/// Waits until a condition holds, for as long as a slow machine may need; whether it does.
func eventually(_ condition: () -> Bool) -> Bool {
    for _ in 0..<4000 {
        if condition() { return true }
        usleep(5000)
    }
    return false
}

func pause(milliseconds: UInt32) { usleep(milliseconds * 1000) }

extension HTTPClient {
    func status(_ method: HTTPMethod, _ target: String) throws -> HTTPStatus {
        try send(method, target).status
    }
}
