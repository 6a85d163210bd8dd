// Work that waits for the writer: bounded, many producers, one consumer that takes all of it at once.

import API
import HTTP
import Synchronization

/// A request's work and where its answer goes.
struct InboxEntry: Sendable {
    let answer: PendingAnswer
    let work: DeskWork
}

final class Inbox: Sendable {
    let capacity: Int
    private let contents = Mutex(Contents())

    private struct Contents {
        var entries: [InboxEntry] = []
        var refusals: UInt64 = 0
        var consumer = Consumer.asleep
    }

    private enum Consumer { case asleep, awake }

    init(capacity: Int) { self.capacity = capacity }

    enum Admission { case refused, accepted, acceptedAndMustWake }

    /// Adds an entry unless the inbox is full. The caller wakes the consumer where it is told to.
    func add(_ entry: InboxEntry) -> Admission {
        contents.withLock { contents in
            if contents.entries.count >= capacity {
                contents.refusals += 1
                return .refused
            }
            contents.entries.append(entry)
            if contents.consumer == .awake { return .accepted }
            contents.consumer = .awake
            return .acceptedAndMustWake
        }
    }

    /// Claims the consumer's turn for work that is not an entry; false where it is awake already.
    func wake() -> Bool {
        contents.withLock { contents in
            if contents.consumer == .awake { return false }
            contents.consumer = .awake
            return true
        }
    }

    /// Takes everything that waits, giving `spent`'s storage for what comes next. Empty means that the consumer now
    /// sleeps, unless it says that it stays awake.
    func takeAll(reusing spent: inout [InboxEntry], stayingAwake: Bool) {
        contents.withLock { contents in
            spent.removeAll(keepingCapacity: true)
            swap(&spent, &contents.entries)
            if spent.isEmpty && !stayingAwake { contents.consumer = .asleep }
        }
    }

    var depth: Int { contents.withLock { $0.entries.count } }
    var refusals: UInt64 { contents.withLock { $0.refusals } }
}
