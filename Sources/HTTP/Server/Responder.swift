// The duty to answer one request, as a value that cannot be copied and cannot be forgotten, and two ways to carry it elsewhere:
// a box for inboxes, and a batch that wakes every loop once. It knows no bytes.

import Synchronization

/// Answers one request, once, from any thread. Dropped unanswered it answers with 500 and is counted.
public struct Responder: ~Copyable, Sendable {
    enum Destination: Sendable {
        case loop(LoopPort, ConnectionToken)
        case closure(@Sendable (HTTPResponse) -> Void)
        case spent
    }

    private var destination: Destination

    init(port: LoopPort, token: ConnectionToken) {
        destination = .loop(port, token)
    }

    /// A responder without a connection: for handlers' tests.
    public init(_ receive: @escaping @Sendable (HTTPResponse) -> Void) {
        destination = .closure(receive)
    }

    deinit {
        switch destination {
        case .spent: return
        case .loop(let port, _):
            port.counters.unanswered.add(1, ordering: .relaxed)
            port.onEvent(.unansweredRequest)
        case .closure: break
        }
        let problem = HTTPProblem(status: 500, detail: "The service gave no answer to this request.")
        Self.deliver(problem.response, to: destination)
    }

    /// Answers. On the loop, while the handler runs, this costs no wake and shares the send of its turn.
    public consuming func send(_ response: HTTPResponse) {
        Self.deliver(response, to: take())
    }

    /// The destination, which then is no longer this value's duty.
    fileprivate consuming func take() -> Destination {
        let taken = destination
        destination = .spent
        return taken
    }

    private static func deliver(_ response: HTTPResponse, to destination: Destination) {
        switch destination {
        case .loop(let port, let token): port.deliver(token, response)
        case .closure(let receive): receive(response)
        case .spent: break
        }
    }
}

/// A responder in a box that may stand in arrays and be captured by closures. It answers once; what is sent after that is
/// ignored. Dropped unanswered it answers with 500.
public final class PendingAnswer: Sendable {
    private let responder: Mutex<Responder?>

    public init(_ responder: consuming Responder) {
        self.responder = Mutex(consume responder)
    }

    /// Answers; false where that had been done before.
    @discardableResult
    public func send(_ response: HTTPResponse) -> Bool {
        guard let responder = take() else { return false }
        responder.send(response)
        return true
    }

    fileprivate func take() -> Responder? {
        responder.withLock { $0.take() }
    }
}

/// Many answers that leave together: every loop is locked once and woken once.
public struct AnswerBatch: ~Copyable {
    private struct Group {
        let port: LoopPort
        var mail: [Mail]
    }

    private var groups: [Group] = []

    public init() {}

    deinit { Self.post(groups) }

    public mutating func add(_ responder: consuming Responder, _ response: HTTPResponse) {
        switch responder.take() {
        case .loop(let port, let token):
            if let index = groups.firstIndex(where: { $0.port === port }) {
                groups[index].mail.append(.answer(token, response))
            } else {
                groups.append(Group(port: port, mail: [.answer(token, response)]))
            }
        case .closure(let receive): receive(response)
        case .spent: break
        }
    }

    /// Adds the boxed answer, unless it has been sent before.
    public mutating func add(_ pending: PendingAnswer, _ response: HTTPResponse) {
        guard let responder = pending.take() else { return }
        add(responder, response)
    }

    /// Sends what was added; the batch is empty then, and can be used again. A dropped batch is sent.
    public mutating func send() {
        Self.post(groups)
        groups.removeAll(keepingCapacity: true)
    }

    private static func post(_ groups: [Group]) {
        for group in groups { group.port.mailbox.post(all: group.mail) }
    }
}
