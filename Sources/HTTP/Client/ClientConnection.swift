// One connection of the client: blocking octets out, one response at a time in (RFC 9112 sections 4, 6 and 7).
// It knows no requests.

import Glibc

final class ClientConnection {
    let descriptor: Int32
    private var buffer: [UInt8] = []
    /// Octets of the buffer that were taken.
    private var taken = 0
    private var scratch = [UInt8](repeating: 0, count: 64 * 1024)

    private static let longestHeadBytes = 64 * 1024

    init(host: String, port: UInt16, timeoutMilliseconds: Int) throws(HTTPClientError) {
        System.ignoreBrokenPipes()
        do throws(SocketError) {
            descriptor = try System.connect(host: host, port: port, timeoutMilliseconds: timeoutMilliseconds)
        } catch {
            switch error {
            case .unknownHost(let host): throw .unknownHost(host)
            case .system(let error): throw error.errno == EINPROGRESS ? .timedOut : .system(error)
            }
        }
    }

    deinit { System.close(descriptor) }

    /// Whether the server has closed the connection, or sent what nobody asked for.
    var isStale: Bool { taken < buffer.count || System.isReadable(descriptor) }

    func write(_ bytes: [UInt8]) throws(HTTPClientError) {
        var sent = 0
        while sent < bytes.count {
            switch System.send(descriptor, bytes.span.extracting(sent..<bytes.count)) {
            case .moved(let count): sent += count
            case .wouldBlock: throw .timedOut
            case .endOfStream: throw .closedByServer
            case .failed(EPIPE), .failed(ECONNRESET): throw .closedByServer
            case .failed(let code): throw .system(SystemError(call: "send", errno: code))
            }
        }
    }

    func readResponse(to method: HTTPMethod) throws(HTTPClientError) -> (HTTPClientResponse, Persistence) {
        while true {
            let (status, version, fields) = try readHead()
            // Interim answers announce the final one.
            if status.code < 200, status.code != 101 { continue }
            func field(_ name: String) -> String? {
                fields.first { $0.name.lowercased() == name }?.value.lowercased()
            }
            var persistence = version == .http11 ? Persistence.keepAlive : .close
            if field("connection") == "close" { persistence = .close }
            if field("connection") == "keep-alive" { persistence = .keepAlive }
            let body: [UInt8]
            if method == .head || status.hasNoContent {
                body = []
            } else if field("transfer-encoding") == "chunked" {
                body = try readChunks()
            } else if let length = field("content-length") {
                guard let count = Int(length), count >= 0 else { throw .malformedResponse("its length is no number") }
                body = try read(count)
            } else {
                body = try readToEnd()
                persistence = .close
            }
            return (HTTPClientResponse(status: status, fields: fields, body: body), persistence)
        }
    }

    private func readHead() throws(HTTPClientError) -> (HTTPStatus, HTTPVersion, [HTTPField]) {
        let statusLine = try readLine()
        let parts = statusLine.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[0] == "HTTP/1.1" || parts[0] == "HTTP/1.0", let code = UInt16(parts[1]),
            code >= 100, code <= 999
        else { throw .malformedResponse("it does not begin with a status line") }
        var fields: [HTTPField] = []
        var bytes = 0
        while true {
            let line = try readLine()
            if line.isEmpty { break }
            bytes += line.utf8.count
            guard let colon = line.firstIndex(of: ":"), bytes <= Self.longestHeadBytes else {
                throw .malformedResponse("a header field is malformed")
            }
            let value = line[line.index(after: colon)...]
            fields.append(HTTPField(String(line[..<colon]), String(value.drop { $0 == " " || $0 == "\t" })))
        }
        return (HTTPStatus(code), parts[0] == "HTTP/1.1" ? .http11 : .http10, fields)
    }

    private func readChunks() throws(HTTPClientError) -> [UInt8] {
        var body: [UInt8] = []
        while true {
            let line = try readLine()
            guard let size = Int(line.prefix { $0 != ";" }, radix: 16), size >= 0 else {
                throw .malformedResponse("a chunk has no size")
            }
            if size == 0 {
                while try !readLine().isEmpty {}
                return body
            }
            body.append(contentsOf: try read(size))
            guard try readLine().isEmpty else { throw .malformedResponse("a chunk is longer than its size") }
        }
    }

    private func readLine() throws(HTTPClientError) -> String {
        var searched = 0
        while true {
            if let end = buffer.span.firstIndex(of: Octet.lineFeed, from: taken + searched) {
                let stop = end > taken && buffer[end - 1] == Octet.carriageReturn ? end - 1 : end
                defer { taken = end + 1 }
                return buffer.span.text(taken..<stop)
            }
            searched = buffer.count - taken
            guard searched <= Self.longestHeadBytes else { throw .malformedResponse("a line is too long") }
            guard try fill() else { throw .closedByServer }
        }
    }

    private func read(_ count: Int) throws(HTTPClientError) -> [UInt8] {
        while buffer.count - taken < count {
            guard try fill() else { throw .closedByServer }
        }
        defer { taken += count }
        return buffer.span.array(taken..<taken + count)
    }

    func readToEnd() throws(HTTPClientError) -> [UInt8] {
        while try fill() {}
        defer { taken = buffer.count }
        return buffer.span.array(taken..<buffer.count)
    }

    /// Waits for octets; false at the end of the stream.
    private func fill() throws(HTTPClientError) -> Bool {
        if taken == buffer.count {
            buffer.removeAll(keepingCapacity: true)
            taken = 0
        }
        switch System.receive(descriptor, &scratch) {
        case .moved(let count):
            buffer.append(contentsOf: scratch[..<count])
            return true
        case .endOfStream, .failed(ECONNRESET): return false
        case .wouldBlock: throw .timedOut
        case .failed(let code): throw .system(SystemError(call: "recv", errno: code))
        }
    }
}
