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

    /// Nil lets it be silent. Who is rung for sets it again.
    func set(for moment: Timestamp?) {
        guard let moment else {
            if self.moment != nil { timer.schedule(wallDeadline: .distantFuture) }
            self.moment = nil
            return
        }
        let latest = SystemClock.now().nanoseconds + Self.longestWait
        if moment == self.moment && moment.nanoseconds <= latest { return }
        self.moment = moment
        let (seconds, rest) = min(moment.nanoseconds, latest).quotientAndRemainder(dividingBy: 1_000_000_000)
        timer.schedule(wallDeadline: DispatchWallTime(timespec: timespec(tv_sec: Int(seconds), tv_nsec: Int(rest))))
    }
}
