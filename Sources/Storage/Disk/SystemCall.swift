// The one door for system calls: repeats what a signal interrupted and captures errno at once.

internal import Glibc

enum SystemCall {
    /// Runs `call` until no signal interrupts it. A negative result becomes an error that names `path`.
    @discardableResult
    static func run<Number: SignedInteger>(
        _ operation: String, _ path: String, _ call: () -> Number
    ) throws(StorageError) -> Number {
        while true {
            let result = call()
            if result >= 0 { return result }
            let code = errno
            if code != EINTR { throw error(operation, path, code) }
        }
    }

    static func error(_ operation: String, _ path: String, _ code: Int32) -> StorageError {
        switch code {
        case ENOSPC, EDQUOT: .diskFull(path: path)
        default: .system(operation: operation, path: path, errno: code)
        }
    }

    static func message(_ code: Int32) -> String {
        var text = [CChar](repeating: 0, count: 256)
        let count = text.count
        // The POSIX form returns a number, the GNU form a pointer that may not be the buffer; Swift sees the POSIX one.
        guard unsafe strerror_r(code, &text, count) == 0 else { return "unknown error" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
