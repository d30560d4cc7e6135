/// The bytes of a socket that are read and not yet consumed.
///
/// Reads go to one large buffer of the event loop. Only what a parser leaves over is kept here, so
/// that a connection between two messages holds no memory.
struct InputBuffer: Sendable {
    private var leftover: [UInt8] = []
    private var isJoined = false

    /// How many bytes are kept for later.
    var count: Int { isJoined ? 0 : leftover.count }

    /// The bytes that are kept for later.
    var bytes: [UInt8] { leftover }

    /// Puts what was left over in front of the `count` bytes just read into `buffer`.
    ///
    /// Afterwards `buffer` holds both; returns how many bytes that is. ``keep(_:from:of:)`` must
    /// follow before the buffer is used for anything else.
    mutating func join(_ buffer: inout [UInt8], count: Int) -> Int {
        guard !leftover.isEmpty else { return count }
        leftover.append(contentsOf: buffer[..<count])
        swap(&leftover, &buffer)
        isJoined = true
        return buffer.count
    }

    /// Keeps the bytes of `buffer` from `consumed` to `count`, and gives the loop its buffer back.
    mutating func keep(_ buffer: inout [UInt8], from consumed: Int, of count: Int) {
        guard isJoined else {
            leftover = consumed == count ? [] : Array(buffer[consumed..<count])
            return
        }
        isJoined = false
        swap(&leftover, &buffer)
        if consumed == count {
            leftover = []
        } else {
            leftover.removeFirst(consumed)
        }
    }

    /// Drops everything.
    mutating func clear() {
        leftover = []
        isJoined = false
    }
}
