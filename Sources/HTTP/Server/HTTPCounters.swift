// What a server has counted: one block per loop, written by that loop alone and read by anyone at any time.
// It knows no meaning of the numbers.

import Synchronization

/// The sums over all loops since the server's start.
public struct HTTPCounters: Hashable, Sendable {
    public var openConnections = 0
    public var acceptedConnections: UInt64 = 0
    public var refusedConnections: UInt64 = 0
    public var requests: UInt64 = 0
    public var responses: UInt64 = 0
    public var receivedBytes: UInt64 = 0
    public var sentBytes: UInt64 = 0
    public var receiveCalls: UInt64 = 0
    public var sendCalls: UInt64 = 0
    public var waitCalls: UInt64 = 0
    public var acceptCalls: UInt64 = 0
    /// Requests whose responder was dropped unanswered.
    public var unansweredRequests: UInt64 = 0
    /// Connections closed because their client took nothing.
    public var stalledWrites: UInt64 = 0
    /// Requests refused by HTTP itself, by status.
    public var failures: [UInt16: UInt64] = [:]

    public init() {}
}

/// A counter with one writer, so that adding needs no locked instruction.
struct LoopCounter: ~Copyable, Sendable {
    private let value = Atomic<UInt64>(0)

    func add(_ amount: Int = 1) {
        value.store(value.load(ordering: .relaxed) &+ UInt64(amount), ordering: .relaxed)
    }

    var count: UInt64 { value.load(ordering: .relaxed) }
}

final class LoopCounters: Sendable {
    let accepted = LoopCounter()
    let refused = LoopCounter()
    let requests = LoopCounter()
    let responses = LoopCounter()
    let receivedBytes = LoopCounter()
    let sentBytes = LoopCounter()
    let receiveCalls = LoopCounter()
    let sendCalls = LoopCounter()
    let waitCalls = LoopCounter()
    let acceptCalls = LoopCounter()
    let stalledWrites = LoopCounter()
    /// Counted by whichever thread dropped the responder.
    let unanswered = Atomic<UInt64>(0)
    let open = Atomic<Int>(0)
    private let failures = Mutex<[UInt16: UInt64]>([:])

    func addFailure(_ status: HTTPStatus) {
        failures.withLock { $0[status.code, default: 0] += 1 }
    }

    func add(to sum: inout HTTPCounters) {
        sum.openConnections += open.load(ordering: .relaxed)
        sum.acceptedConnections += accepted.count
        sum.refusedConnections += refused.count
        sum.requests += requests.count
        sum.responses += responses.count
        sum.receivedBytes += receivedBytes.count
        sum.sentBytes += sentBytes.count
        sum.receiveCalls += receiveCalls.count
        sum.sendCalls += sendCalls.count
        sum.waitCalls += waitCalls.count
        sum.acceptCalls += acceptCalls.count
        sum.stalledWrites += stalledWrites.count
        sum.unansweredRequests += unanswered.load(ordering: .relaxed)
        let failures = failures.withLock { $0 }
        sum.failures.merge(failures, uniquingKeysWith: +)
    }
}
