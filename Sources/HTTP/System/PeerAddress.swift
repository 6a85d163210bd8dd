// The address of a client. It knows no connection.

import Glibc

public struct PeerAddress: Hashable, Sendable, CustomStringConvertible {
    private enum Family: Hashable, Sendable {
        case unknown, ipv4, ipv6
    }

    private let family: Family
    private let high: UInt64
    private let low: UInt64
    public let port: UInt16

    public static let unknown = PeerAddress(family: .unknown, high: 0, low: 0, port: 0)

    private init(family: Family, high: UInt64, low: UInt64, port: UInt16) {
        self.family = family
        self.high = high
        self.low = low
        self.port = port
    }

    init(_ storage: sockaddr_storage) {
        self = unsafe withUnsafeBytes(of: storage) { bytes in
            switch Int32(storage.ss_family) {
            case AF_INET:
                let address = unsafe bytes.load(as: sockaddr_in.self)
                return PeerAddress(
                    family: .ipv4, high: 0, low: UInt64(address.sin_addr.s_addr.byteSwapped),
                    port: address.sin_port.byteSwapped)
            case AF_INET6:
                let address = unsafe bytes.load(as: sockaddr_in6.self)
                let halves = unsafe withUnsafeBytes(of: address.sin6_addr) { octets in
                    unsafe (octets.load(as: UInt64.self), octets.load(fromByteOffset: 8, as: UInt64.self))
                }
                return PeerAddress(
                    family: .ipv6, high: halves.0.byteSwapped, low: halves.1.byteSwapped,
                    port: address.sin6_port.byteSwapped)
            default:
                return .unknown
            }
        }
    }

    /// The address without its port. Version 6 is written in full groups without abbreviation.
    public var host: String {
        switch family {
        case .unknown: return "unknown"
        case .ipv4: return (0..<4).map { "\(low >> (24 - 8 * UInt64($0)) & 0xFF)" }.joined(separator: ".")
        case .ipv6:
            var groups: [String] = []
            for half in [high, low] {
                for shift in [48, 32, 16, 0] as [UInt64] { groups.append(String(half >> shift & 0xFFFF, radix: 16)) }
            }
            return groups.joined(separator: ":")
        }
    }

    public var description: String {
        switch family {
        case .unknown: "unknown"
        case .ipv4: "\(host):\(port)"
        case .ipv6: "[\(host)]:\(port)"
        }
    }
}
