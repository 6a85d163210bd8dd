// What is kept of a connection between events: little, so that idle ones are cheap.
// It knows no system call; its loop acts for it.

final class Connection {
    /// Where the exchange stands. Whether output is blocked stands beside it, in `output`.
    ///
    ///     reading -> parked      a handler kept its responder
    ///     reading -> finishing   the last answer is written
    ///     parked -> reading      the answer has come
    ///     parked -> finishing    the answer has come and is the last
    ///     finishing -> lingering the last answer is sent
    ///     any -> closed
    enum Phase: Equatable {
        case reading
        case parked
        case finishing
        /// The client may read the last answer; what it sends is dropped, up to a budget.
        case lingering(budget: Int)
        case closed
    }

    /// What the deadline is for.
    enum Wait {
        /// The deadline has to be set anew.
        case unsettled
        case idle, head, body, answer, write, linger
    }

    let token: ConnectionToken
    let peer: PeerAddress
    var phase: Phase
    var interest = System.Interest.input
    var parser: RequestParser
    /// The form of the answer that is owed.
    var form = AnswerForm(isHead: false, version: .http11, persistence: .keepAlive)
    /// Input that waits for its turn, read from `leftoverStart` on.
    var leftover: [UInt8] = []
    var leftoverStart = 0
    /// Octets that the socket did not take, in order; `outputStart` of the first are sent.
    var output: [[UInt8]] = []
    var outputStart = 0
    /// Octets of an unfinished body that the server has counted.
    var countedBodyBytes = 0
    var wait = Wait.unsettled
    var deadline = UInt64.max
    /// The tick of the live entry in the wheel.
    var wheelTick = UInt64.max

    init(token: ConnectionToken, peer: PeerAddress, phase: Phase, parser: RequestParser) {
        self.token = token
        self.peer = peer
        self.phase = phase
        self.parser = parser
    }

    var hasLeftover: Bool { leftoverStart < leftover.count }
}
