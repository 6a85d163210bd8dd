// What other threads tell a loop. Posting is a short critical section and, when nobody has yet, one write that wakes the loop.
// It knows nothing of how a loop acts on its mail.

import Dispatch
import Synchronization

enum Mail: Sendable {
    case answer(ConnectionToken, HTTPResponse)
    /// A connection that another loop accepted for this one.
    case adopt(Int32, PeerAddress)
    /// Answer what is in flight, close what is idle, and accept nothing more.
    case drain(DispatchGroup)
    case stop
}

final class Mailbox: Sendable {
    private struct State {
        var mail: [Mail] = []
        /// Whether the loop has been woken and has not looked yet.
        var hasCalled = false
    }

    let event: Int32
    private let state = Mutex(State())

    init() throws(SystemError) {
        event = try System.makeEvent()
    }

    deinit { System.close(event) }

    func post(_ mail: consuming Mail) {
        let mail = mail
        let mustCall = state.withLock { state in
            state.mail.append(mail)
            defer { state.hasCalled = true }
            return !state.hasCalled
        }
        if mustCall { System.signalEvent(event) }
    }

    func post(all mail: [Mail]) {
        guard !mail.isEmpty else { return }
        let mustCall = state.withLock { state in
            state.mail.append(contentsOf: mail)
            defer { state.hasCalled = true }
            return !state.hasCalled
        }
        if mustCall { System.signalEvent(event) }
    }

    /// Takes all mail, and leaves `spare` (empty, with its room) for the next.
    func take(into spare: inout [Mail]) {
        System.clearEvent(event)
        state.withLock { state in
            swap(&state.mail, &spare)
            state.hasCalled = false
        }
    }
}
