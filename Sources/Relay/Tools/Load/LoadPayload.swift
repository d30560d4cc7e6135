/// What a published message says of itself: `s2l1 <sender> <number> <time> `, then padding.
///
/// The sender is eight hexadecimal digits, drawn by each run; numbers count the messages of one
/// sender on one channel from 0; the time is the one at which the message was meant to be sent, in
/// nanoseconds since the Unix epoch on the sender's clock. None of its characters is escaped in JSON,
/// so that it is found in a relay's frame without parsing that.
struct LoadPayload: Equatable, Sendable {
    /// The bytes of the longest head; a payload cannot be shorter than its own.
    static let longestHead = 64
    private static let mark = Array("s2l1 ".utf8)
    /// Where the payload begins in the frames of this daemon and of the Go service.
    private static let usualPlace = #"{"type":"status","data":""#.utf8.count

    let sender: UInt32
    let number: UInt64
    /// The intended time of sending.
    let unixTime: Int64

    /// Appends the text, padded with `x` to `length` bytes where it is shorter.
    func append(paddedTo length: Int, to output: inout [UInt8]) {
        let start = output.count
        output.append(contentsOf: Self.mark)
        for shift in stride(from: UInt32(28), through: 0, by: -4) {
            let digit = UInt8(sender >> shift & 0xF)
            output.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
        output.append(UInt8(ascii: " "))
        Self.appendDecimal(number, to: &output)
        output.append(UInt8(ascii: " "))
        Self.appendDecimal(UInt64(clamping: unixTime), to: &output)
        output.append(UInt8(ascii: " "))
        let rest = length - (output.count - start)
        if rest > 0 { output.append(contentsOf: repeatElement(UInt8(ascii: "x"), count: rest)) }
    }

    private static func appendDecimal(_ value: UInt64, to output: inout [UInt8]) {
        let start = output.count
        var rest = value
        repeat {
            output.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        output[start...].reverse()
    }

    /// Finds the payload in the text of a frame; nil where there is none.
    static func find(in text: Span<UInt8>) -> LoadPayload? {
        if let found = read(text, at: usualPlace) { return found }
        guard text.count >= mark.count else { return nil }
        for start in 0...(text.count - mark.count) where text[start] == mark[0] {
            if let found = read(text, at: start) { return found }
        }
        return nil
    }

    private static func read(_ text: Span<UInt8>, at start: Int) -> LoadPayload? {
        var position = start
        guard text.count - start >= mark.count + 8 else { return nil }
        for byte in mark {
            guard text[position] == byte else { return nil }
            position += 1
        }
        var sender: UInt32 = 0
        for _ in 0..<8 {
            guard let digit = hexadecimal(text[position]) else { return nil }
            sender = sender << 4 | UInt32(digit)
            position += 1
        }
        guard takeSpace(text, &position), let number = takeDecimal(text, &position),
            takeSpace(text, &position), let time = takeDecimal(text, &position),
            takeSpace(text, &position)
        else { return nil }
        return LoadPayload(sender: sender, number: number, unixTime: Int64(clamping: time))
    }

    private static func takeSpace(_ text: Span<UInt8>, _ position: inout Int) -> Bool {
        guard position < text.count, text[position] == UInt8(ascii: " ") else { return false }
        position += 1
        return true
    }

    private static func takeDecimal(_ text: Span<UInt8>, _ position: inout Int) -> UInt64? {
        let start = position
        var value: UInt64 = 0
        while position < text.count, text[position] >= UInt8(ascii: "0"),
            text[position] <= UInt8(ascii: "9")
        {
            // Nineteen digits hold any time and any number that is ever reached.
            guard position - start < 19 else { return nil }
            value = value * 10 + UInt64(text[position] - UInt8(ascii: "0"))
            position += 1
        }
        return position == start ? nil : value
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
