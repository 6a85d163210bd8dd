// A connection's name: its descriptor and which of the connections that had this number it is.
// Whoever holds the token of a closed connection holds nothing.

struct ConnectionToken: Hashable, Sendable {
    let descriptor: Int32
    /// Counts from 1 in every loop; 0 marks descriptors that are no connections.
    let generation: UInt32

    init(descriptor: Int32, generation: UInt32) {
        self.descriptor = descriptor
        self.generation = generation
    }

    init(eventData: UInt64) {
        descriptor = Int32(truncatingIfNeeded: eventData)
        generation = UInt32(truncatingIfNeeded: eventData >> 32)
    }

    var eventData: UInt64 { UInt64(generation) << 32 | UInt64(UInt32(bitPattern: descriptor)) }
}
