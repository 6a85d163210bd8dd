// The one door to the system calls of this target. errno is captured at once, an interrupted call is repeated, and
// results are values. It knows no HTTP.

internal import CLinux
import Glibc

/// A failed system call.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    public let call: String
    public let errno: Int32

    public var description: String { unsafe "\(call): \(String(cString: strerror(errno)))" }
}

/// What came of an attempt to move octets.
enum Transfer {
    case moved(Int)
    case endOfStream
    case wouldBlock
    case failed(Int32)
}

/// What came of an attempt to accept.
enum Acceptance {
    case accepted(Int32, PeerAddress)
    case none
    /// The client is gone again; the next may be there.
    case aborted
    case failed(Int32)
}

enum System {
    /// What a descriptor waits for.
    enum Interest: UInt32 {
        case nothing = 0
        case input = 1
        case output = 4
        /// Input of a descriptor that several loops watch; one of them is woken.
        case exclusiveInput = 0x1000_0001
    }

    private static func repeated(_ body: () -> Int) -> (result: Int, errno: Int32) {
        while true {
            let result = body()
            let code = Glibc.errno
            if result < 0, code == EINTR { continue }
            return (result, code)
        }
    }

    private static func checked(_ call: String, _ body: () -> Int32) throws(SystemError) -> Int32 {
        let (result, code) = repeated { Int(body()) }
        guard result >= 0 else { throw SystemError(call: call, errno: code) }
        return Int32(result)
    }

    static func receive(_ descriptor: Int32, _ buffer: inout [UInt8]) -> Transfer {
        let (count, code) = unsafe buffer.withUnsafeMutableBytes { bytes in
            repeated { unsafe recv(descriptor, bytes.baseAddress, bytes.count, 0) }
        }
        if count > 0 { return .moved(count) }
        if count == 0 { return .endOfStream }
        return code == EAGAIN ? .wouldBlock : .failed(code)
    }

    /// - Parameter hasMore: more follows at once, so that a small part may wait for it.
    static func send(_ descriptor: Int32, _ bytes: Span<UInt8>, hasMore: Bool = false) -> Transfer {
        let flags = Int32(MSG_NOSIGNAL) | (hasMore ? Int32(MSG_MORE) : 0)
        let (count, code) = unsafe bytes.withUnsafeBytes { bytes in
            repeated { unsafe Glibc.send(descriptor, bytes.baseAddress, bytes.count, flags) }
        }
        if count >= 0 { return .moved(count) }
        return code == EAGAIN ? .wouldBlock : .failed(code)
    }

    static func accept(_ listener: Int32) -> Acceptance {
        var storage = sockaddr_storage()
        var count = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let (result, code) = repeated {
            unsafe withUnsafeMutablePointer(to: &storage) { pointer in
                let address = unsafe UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: sockaddr.self)
                return Int(
                    unsafe accept4(listener, address, &count, Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)))
            }
        }
        if result >= 0 { return .accepted(Int32(result), PeerAddress(storage)) }
        switch code {
        case EAGAIN: return .none
        case ECONNABORTED, EPROTO, ENETDOWN, ENETUNREACH, EHOSTUNREACH, EHOSTDOWN, ENONET, ENOPROTOOPT, EOPNOTSUPP,
            EPERM:
            return .aborted
        default: return .failed(code)
        }
    }

    static func close(_ descriptor: Int32) {
        _ = Glibc.close(descriptor)
    }

    static func shutdownOutput(_ descriptor: Int32) {
        _ = shutdown(descriptor, Int32(SHUT_WR))
    }

    static func makeEpoll() throws(SystemError) -> Int32 {
        try checked("epoll_create1") { epoll_create1(Int32(EPOLL_CLOEXEC)) }
    }

    static func makeEvent() throws(SystemError) -> Int32 {
        try checked("eventfd") { eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC)) }
    }

    static func signalEvent(_ descriptor: Int32) {
        var one: UInt64 = 1
        _ = repeated { unsafe write(descriptor, &one, 8) }
    }

    static func clearEvent(_ descriptor: Int32) {
        var count: UInt64 = 0
        _ = repeated { unsafe read(descriptor, &count, 8) }
    }

    static func watch(_ epoll: Int32, _ descriptor: Int32, _ interest: Interest, data: UInt64) throws(SystemError) {
        try control(epoll, EPOLL_CTL_ADD, descriptor, interest, data)
    }

    static func rewatch(_ epoll: Int32, _ descriptor: Int32, _ interest: Interest, data: UInt64) throws(SystemError) {
        try control(epoll, EPOLL_CTL_MOD, descriptor, interest, data)
    }

    static func unwatch(_ epoll: Int32, _ descriptor: Int32) throws(SystemError) {
        try control(epoll, EPOLL_CTL_DEL, descriptor, .nothing, 0)
    }

    private static func control(
        _ epoll: Int32, _ operation: Int32, _ descriptor: Int32, _ interest: Interest, _ data: UInt64
    ) throws(SystemError) {
        var event = unsafe epoll_event()
        unsafe event.events = interest.rawValue
        unsafe event.data.u64 = data
        _ = try checked("epoll_ctl") { unsafe epoll_ctl(epoll, operation, descriptor, &event) }
    }

    /// Waits for events; -1 waits without end.
    static func wait(
        _ epoll: Int32, _ events: borrowing EventBuffer, timeoutMilliseconds: Int32
    ) throws(SystemError) -> Int {
        let count = unsafe epoll_wait(
            epoll, events.storage.baseAddress, Int32(events.storage.count), timeoutMilliseconds)
        let code = Glibc.errno
        if count >= 0 { return Int(count) }
        if code == EINTR { return 0 }
        throw SystemError(call: "epoll_wait", errno: code)
    }

    static func ignoreBrokenPipes() {
        _ = signal(SIGPIPE, SIG_IGN)
    }

    static func monotonicMilliseconds() -> UInt64 {
        var time = timespec()
        unsafe _ = clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000
    }

    static func wallSeconds() -> Int {
        var time = timespec()
        unsafe _ = clock_gettime(CLOCK_REALTIME_COARSE, &time)
        return time.tv_sec
    }

    /// Tells this thread from every other.
    static func threadIdentity() -> UInt {
        UInt(pthread_self())
    }

    static func coreCount() -> Int {
        Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    }
}

extension SystemError {
    /// The failures that a caller would answer differently.
    enum Meaning {
        case addressInUse, addressNotAvailable, permissionDenied, other
    }

    var meaning: Meaning {
        switch errno {
        case EADDRINUSE: .addressInUse
        case EADDRNOTAVAIL: .addressNotAvailable
        case EACCES, EPERM: .permissionDenied
        default: .other
        }
    }
}
