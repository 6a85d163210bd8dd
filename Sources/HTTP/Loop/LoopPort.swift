// The face of a loop that other threads see: its mail, its counters, and the slot through which a handler answers at once.
// Everything else of a loop is confined to its own thread, by construction: the loop is made there and is not Sendable.

import Synchronization

final class LoopPort: Sendable {
    /// The answer of the handler that runs now.
    private enum Slot {
        case none
        case awaiting(ConnectionToken)
        case answered(HTTPResponse)
    }

    let epoll: Int32
    let mailbox: Mailbox
    let counters = LoopCounters()
    let onEvent: @Sendable (HTTPEvent) -> Void
    private let slot = Mutex(Slot.none)

    init(onEvent: @escaping @Sendable (HTTPEvent) -> Void) throws(SystemError) {
        self.onEvent = onEvent
        mailbox = try Mailbox()
        epoll = try System.makeEpoll()
    }

    deinit { System.close(epoll) }

    /// The loop is about to call the handler.
    func openSlot(_ token: ConnectionToken) {
        slot.withLock { $0 = .awaiting(token) }
    }

    /// The handler has returned; nil where its answer will come by mail.
    func closeSlot() -> HTTPResponse? {
        slot.withLock { slot in
            defer { slot = .none }
            guard case .answered(let response) = slot else { return nil }
            return response
        }
    }

    /// Delivers an answer from any thread: into the slot while the handler runs, by mail afterwards.
    func deliver(_ token: ConnectionToken, _ response: HTTPResponse) {
        let isDelivered = slot.withLock { slot in
            guard case .awaiting(token) = slot else { return false }
            slot = .answered(response)
            return true
        }
        if !isDelivered { mailbox.post(.answer(token, response)) }
    }
}
