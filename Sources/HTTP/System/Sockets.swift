// Making sockets: names resolved, a listener bound, a client connected. Used when a server or client starts, never on a loop.
// It knows no HTTP.

internal import CLinux
import Glibc

/// Why a host's name or a port cannot be used.
enum SocketError: Error {
    case unknownHost(String)
    case system(SystemError)
}

extension System {
    private struct Candidate {
        let family: Int32
        let address: [UInt8]
    }

    private static func resolve(host: String, port: UInt16, isPassive: Bool) throws(SocketError) -> [Candidate] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_NUMERICSERV | (isPassive ? AI_PASSIVE : 0)
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, "\(port)", &hints, &list) == 0 else { throw .unknownHost(host) }
        defer { unsafe freeaddrinfo(list) }
        var candidates: [Candidate] = []
        var next = unsafe list
        while let info = unsafe next {
            if let address = unsafe info.pointee.ai_addr {
                let bytes = unsafe UnsafeRawBufferPointer(start: address, count: Int(info.pointee.ai_addrlen))
                candidates.append(Candidate(family: unsafe info.pointee.ai_family, address: unsafe Array(bytes)))
            }
            unsafe next = info.pointee.ai_next
        }
        return candidates
    }

    /// A listening socket that does not block, and its port.
    static func listen(host: String, port: UInt16, backlog: Int32) throws(SocketError) -> (Int32, UInt16) {
        var last = SocketError.unknownHost(host)
        for candidate in try resolve(host: host, port: port, isPassive: true) {
            do {
                return try listen(candidate, backlog: backlog)
            } catch {
                last = .system(error)
            }
        }
        throw last
    }

    private static func listen(_ candidate: Candidate, backlog: Int32) throws(SystemError) -> (Int32, UInt16) {
        let descriptor = try open(candidate.family, flags: Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue))
        do throws(SystemError) {
            try setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
            if candidate.family == AF_INET6 { try setOption(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
            // Accepted connections inherit this on Linux.
            try setOption(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
            try check("bind") { unsafe withAddress(candidate) { unsafe bind(descriptor, $0, $1) } }
            try check("listen") { Glibc.listen(descriptor, backlog) }
            return (descriptor, try boundPort(descriptor))
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// A connected socket that blocks, with limits on how long.
    static func connect(host: String, port: UInt16, timeoutMilliseconds: Int) throws(SocketError) -> Int32 {
        var last = SocketError.unknownHost(host)
        for candidate in try resolve(host: host, port: port, isPassive: false) {
            do {
                return try connect(candidate, timeoutMilliseconds)
            } catch {
                last = .system(error)
            }
        }
        throw last
    }

    private static func connect(_ candidate: Candidate, _ timeoutMilliseconds: Int) throws(SystemError) -> Int32 {
        let descriptor = try open(candidate.family, flags: Int32(SOCK_CLOEXEC.rawValue))
        do throws(SystemError) {
            try setTimeouts(descriptor, timeoutMilliseconds)
            try setOption(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
            try check("connect") { unsafe withAddress(candidate) { unsafe Glibc.connect(descriptor, $0, $1) } }
            return descriptor
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// How long a blocking call on this socket may take.
    static func setTimeouts(_ descriptor: Int32, _ milliseconds: Int) throws(SystemError) {
        var time = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        let size = socklen_t(MemoryLayout<timeval>.size)
        try check("setsockopt") { unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, size) }
        try check("setsockopt") { unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, size) }
    }

    /// Whether something waits to be read: on an idle connection that is its end.
    static func isReadable(_ descriptor: Int32) -> Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&request, 1, 0) != 0
    }

    private static func open(_ family: Int32, flags: Int32) throws(SystemError) -> Int32 {
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | flags, 0)
        let code = Glibc.errno
        guard descriptor >= 0 else { throw SystemError(call: "socket", errno: code) }
        return descriptor
    }

    private static func setOption(
        _ descriptor: Int32, _ level: Int32, _ name: Int32, _ value: Int32
    ) throws(SystemError) {
        var value = value
        try check("setsockopt") {
            unsafe setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    private static func check(_ call: String, _ body: () -> Int32) throws(SystemError) {
        let result = body()
        let code = Glibc.errno
        guard result == 0 else { throw SystemError(call: call, errno: code) }
    }

    private static func withAddress(
        _ candidate: Candidate, _ body: (UnsafePointer<sockaddr>?, socklen_t) -> Int32
    ) -> Int32 {
        unsafe candidate.address.withUnsafeBytes { bytes in
            let address = unsafe bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self)
            return unsafe body(address, socklen_t(bytes.count))
        }
    }

    private static func boundPort(_ descriptor: Int32) throws(SystemError) -> UInt16 {
        var storage = sockaddr_storage()
        var count = socklen_t(MemoryLayout<sockaddr_storage>.size)
        try check("getsockname") {
            unsafe withUnsafeMutablePointer(to: &storage) { pointer in
                let address = unsafe UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: sockaddr.self)
                return unsafe getsockname(descriptor, address, &count)
            }
        }
        return PeerAddress(storage).port
    }
}
