// Rings on a queue at a time of day. Knows nothing of why.

import Dispatch
import Model

/// One timer that is set anew as often as one likes. Used on its queue alone.
final class Alarm {
    private let timer: any DispatchSourceTimer
    private var moment: Timestamp?
    /// It may ring so much earlier than it was set for: a clock that was changed is noticed within a day.
    private static let longestWait: Int64 = 86_400_000_000_000

    init(on queue: DispatchQueue, _ ring: @escaping @Sendable () -> Void) {
        timer = DispatchSource.makeTimerSource(queue: queue)
        timer.setEventHandler(handler: ring)
        timer.activate()
    }

    deinit { timer.cancel() }

    /// Nil lets it be silent.
    func set(for moment: Timestamp?) {
        if moment == self.moment { return }
        self.moment = moment
        guard let moment else { return timer.schedule(wallDeadline: .distantFuture) }
        let wait = min(max(0, moment.nanoseconds(since: SystemClock.now())), Self.longestWait)
        timer.schedule(wallDeadline: .now() + .nanoseconds(Int(wait)))
    }

    /// Who is rung for says so, and sets it again, perhaps for the same moment.
    func noteRing() { moment = nil }
}
