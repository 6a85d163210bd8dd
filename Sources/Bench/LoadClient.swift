// Many kept connections to one server on loopback, driven by one thread: each sends its next request as soon as its answer
// is whole. It reads no more of an answer than status and length, so that the server is what limits.

import Glibc

/// What a run of requests came to.
struct LoadResult {
    var requests = 0
    /// Answers that were not 2xx.
    var refusals = 0
    var nanoseconds: UInt64 = 0
    /// Processor time of all threads but the client's.
    var serverNanoseconds: UInt64 = 0
    /// From a request's first byte to its answer's last one.
    var latencies: [UInt64] = []

    var perSecond: Double { Double(requests) / max(Double(nanoseconds) / 1e9, 1e-9) }
}

/// Not for use by two threads at once.
final class LoadClient {
    private struct Connection {
        let descriptor: Int32
        var sentAt: UInt64 = 0
        /// The answer so far, while it is not whole.
        var partial: [UInt8] = []
        /// Bytes that the answer still lacks; nil while its head is not whole.
        var missing: Int?
    }

    private var connections: [Connection] = []
    private var polls: [pollfd] = []
    private var scratch = [UInt8](repeating: 0, count: 256 << 10)
    private var request: [UInt8] = []

    init(port: UInt16, connections count: Int) throws(BenchFault) {
        for _ in 0..<count {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            guard descriptor >= 0 else { throw BenchFault("No socket can be made (errno \(errno)).") }
            connections.append(Connection(descriptor: descriptor))
            polls.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            let result = unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard result == 0 else {
                throw BenchFault("The server on port \(port) takes no connection (errno \(errno)).")
            }
            var on: Int32 = 1
            unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    deinit { for connection in connections { close(connection.descriptor) } }

    /// Sends `count` requests over all connections. `make` writes a whole request to the empty array it is given.
    func run(requests count: Int, _ make: (inout [UInt8]) -> Void) throws(BenchFault) -> LoadResult {
        var result = LoadResult()
        result.latencies.reserveCapacity(count)
        let begin = nanosecondsNow()
        let processBegin = processNanosecondsNow()
        let threadBegin = threadNanosecondsNow()
        var sent = 0
        while sent < min(count, connections.count) {
            try send(sent, make)
            sent += 1
        }
        while result.requests < count {
            let ready = unsafe poll(&polls, nfds_t(polls.count), 30_000)
            if ready == 0 { throw BenchFault("The server gave no answer for 30 seconds.") }
            for index in polls.indices where polls[index].revents != 0 {
                guard let status = try receive(index) else { continue }
                result.latencies.append(nanosecondsNow() - connections[index].sentAt)
                result.requests += 1
                if !(200...299).contains(status) { result.refusals += 1 }
                if sent < count {
                    try send(index, make)
                    sent += 1
                }
            }
        }
        result.nanoseconds = nanosecondsNow() - begin
        let all = processNanosecondsNow() - processBegin
        let own = threadNanosecondsNow() - threadBegin
        result.serverNanoseconds = all > own ? all - own : 0
        return result
    }

    private func send(_ index: Int, _ make: (inout [UInt8]) -> Void) throws(BenchFault) {
        request.removeAll(keepingCapacity: true)
        make(&request)
        connections[index].sentAt = nanosecondsNow()
        var done = 0
        while done < request.count {
            let count = unsafe request.withUnsafeBytes { bytes in
                unsafe Glibc.send(
                    connections[index].descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done,
                    Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { throw BenchFault("The server takes no more of a request (errno \(errno)).") }
            done += count
        }
    }

    /// Reads what has arrived; the status where that completes an answer.
    private func receive(_ index: Int) throws(BenchFault) -> Int? {
        let count = unsafe scratch.withUnsafeMutableBytes { bytes in
            unsafe recv(connections[index].descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT))
        }
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return nil }
        if count <= 0 { throw BenchFault("The server closed a connection.") }
        if let missing = connections[index].missing {
            connections[index].missing = missing - count
        } else {
            connections[index].partial.append(contentsOf: scratch[..<count])
            guard let head = Self.head(connections[index].partial) else { return nil }
            connections[index].missing = head.bytes + head.bodyBytes - connections[index].partial.count
        }
        guard let missing = connections[index].missing, missing <= 0 else { return nil }
        let status = Self.status(connections[index].partial)
        connections[index].missing = nil
        connections[index].partial.removeAll(keepingCapacity: true)
        return status
    }

    private static func status(_ answer: [UInt8]) -> Int {
        answer.count < 12 ? 0 : answer[9..<12].reduce(0) { $0 * 10 + Int($1) - 48 }
    }

    /// Where the body begins, and how long the head says it is; nil while the head is not whole.
    private static func head(_ answer: [UInt8]) -> (bytes: Int, bodyBytes: Int)? {
        let name = "content-length:".utf8
        var bodyBytes = 0
        var line = 0
        for at in answer.indices where answer[at] == 0x0A {
            if at - line <= 1 { return (at + 1, bodyBytes) }
            if at - line > name.count, zip(answer[line...], name).allSatisfy({ $0 | 0x20 == $1 | 0x20 }) {
                bodyBytes = answer[(line + name.count)..<at].reduce(0) {
                    (48...57).contains($1) ? $0 * 10 + Int($1) - 48 : $0
                }
            }
            line = at + 1
        }
        return nil
    }
}
