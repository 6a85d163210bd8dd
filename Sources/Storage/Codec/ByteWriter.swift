// Appends numbers and text to bytes, in the forms that journal and snapshot share. It knows no word of the scheduler.
//
// A varint is LEB128: seven bits a byte, lowest first, the top bit set on all bytes but the last, never longer than
// needed. A signed number is a varint of its zigzag form (0, -1, 1, -2, ... become 0, 1, 2, 3, ...). Fixed numbers are
// little-endian. Text is a varint of its UTF-8 bytes' count and the bytes. A missing value is one byte 0, a present one
// byte 1 and the value. A flag is one byte, 0 or 1.

struct ByteWriter {
    var bytes: [UInt8] = []

    var count: Int { bytes.count }

    @inline(__always)
    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func flag(_ value: Bool) { byte(value ? 1 : 0) }

    mutating func fixed<Number: FixedWidthInteger>(_ value: Number) {
        unsafe withUnsafeBytes(of: value.littleEndian) { unsafe bytes.append(contentsOf: $0) }
    }

    /// Overwrites earlier bytes.
    mutating func replace<Number: FixedWidthInteger>(at offset: Int, with value: Number) {
        precondition(offset >= 0 && offset + MemoryLayout<Number>.size <= bytes.count, "replaces only what is there")
        unsafe bytes.withUnsafeMutableBytes {
            unsafe $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Number.self)
        }
    }

    mutating func zeros(_ count: Int) { bytes.append(contentsOf: repeatElement(0, count: count)) }

    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func count(_ value: Int) { varint(UInt64(value)) }

    mutating func signed(_ value: Int64) { varint(UInt64(bitPattern: value << 1 ^ value >> 63)) }

    mutating func signed(_ value: Int) { signed(Int64(value)) }

    mutating func text(_ value: String) {
        count(value.utf8.count)
        raw(value)
    }

    /// The bytes of a text without their count.
    mutating func raw(_ value: String) {
        // One copy of all bytes instead of one append a byte.
        let isDone: Void? = unsafe value.utf8.withContiguousStorageIfAvailable {
            unsafe bytes.append(contentsOf: $0)
        }
        if isDone == nil { bytes.append(contentsOf: value.utf8) }
    }

    mutating func optional<Value>(_ value: Value?, _ write: (inout ByteWriter, Value) -> Void) {
        guard let value else { return byte(0) }
        byte(1)
        write(&self, value)
    }

    mutating func list<Value>(_ values: [Value], _ write: (inout ByteWriter, Value) -> Void) {
        count(values.count)
        for value in values { write(&self, value) }
    }
}
