// Standard output and standard error, whole lines at a time.

import Glibc

enum StandardError {
    static func write(_ bytes: [UInt8]) { Descriptor.write(bytes, to: STDERR_FILENO) }
}

enum StandardOutput {
    static func write(_ text: String) { Descriptor.write(Array(text.utf8), to: STDOUT_FILENO) }
    static func write(_ bytes: [UInt8]) { Descriptor.write(bytes, to: STDOUT_FILENO) }
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
}

private enum Descriptor {
    /// Writes all of it, or as much as the other end takes.
    static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done)
            }
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { return }
            done += count
        }
    }
}
