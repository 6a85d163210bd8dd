// Owns JSON pointers (RFC 6901): escaping, and finding the pointer of a value on a tape.
// It must not know mistakes.

/// JSON pointers as strings.
public enum JSONPointer {
    /// One reference token as it stands in a pointer: `~` as `~0`, `/` as `~1`.
    public static func escape(_ token: String) -> String {
        guard token.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return token }
        var escaped = ""
        for scalar in token.unicodeScalars {
            switch scalar {
            case "~": escaped += "~0"
            case "/": escaped += "~1"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// The pointer of `token` inside the value at `pointer`.
    public static func appending(_ token: String, to pointer: String) -> String { pointer + "/" + escape(token) }
}

extension JSONDocument {
    /// The pointer of the value at a tape index, found from the root downwards. Linear in the siblings passed.
    func pointer(of target: Int) -> String {
        var pointer = ""
        var container = 0
        while container < target {
            let word = tape[container]
            let isObject = Tape.isObject(word)
            var entry = container + Tape.headerCount(word)
            var ordinal = 0
            while true {
                let value = isObject ? entry + 1 : entry
                let next = Tape.next(value, tape[value])
                if target < next {
                    pointer += "/" + (isObject ? JSONPointer.escape(text(tape[entry])) : String(ordinal))
                    container = value
                    break
                }
                entry = next
                ordinal += 1
            }
            // A key has its value's pointer, and its tape index lies before the value's.
            if container > target { break }
        }
        return pointer
    }
}
