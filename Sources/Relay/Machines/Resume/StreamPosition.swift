/// One life of a channel's stream of messages: from the first page that can resume to the end of the
/// last that may.
///
/// It is as good as a secret: who does not know it learns nothing by asking for it, and who does may
/// hear the channel anyway.
struct StreamEpoch: Equatable, Sendable {
    /// The event loop that has the stream.
    let loop: UInt8
    /// When it began, in milliseconds of Unix time.
    let beganAt: Int64
    /// What tells it from others, and cannot be guessed.
    let secret: UInt64
}

/// A message's place in its channel's stream: `<epoch>-<number>` in frames and in `?resume=`.
struct StreamPosition: Equatable, Sendable {
    /// Digits of an epoch: two of the loop, twelve of the time, sixteen of the secret.
    private static let epochLength = 30
    /// Digits of a number, at most: it stays below 2^53, so that scripts can count with it.
    private static let numberLimit = 15

    let epoch: StreamEpoch
    /// Counts the messages of the epoch, from 1; 0 is before the first.
    let number: UInt64

    init(_ epoch: StreamEpoch, _ number: UInt64) {
        self.epoch = epoch
        self.number = number
    }

    /// Reads what ``appendText(to:)`` writes, and nothing else.
    init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count > Self.epochLength + 1,
            bytes.count <= Self.epochLength + 1 + Self.numberLimit,
            bytes[Self.epochLength] == UInt8(ascii: "-"),
            let loop = Self.hexadecimal(bytes[0..<2]),
            let time = Self.hexadecimal(bytes[2..<14]),
            let secret = Self.hexadecimal(bytes[14..<30])
        else { return nil }
        let digits = bytes[(Self.epochLength + 1)...]
        guard digits.first != UInt8(ascii: "0") || digits.count == 1 else { return nil }
        var number: UInt64 = 0
        for byte in digits {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            number = number * 10 + UInt64(byte - UInt8(ascii: "0"))
        }
        epoch = StreamEpoch(loop: UInt8(loop), beganAt: Int64(time), secret: secret)
        self.number = number
    }

    private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var number: UInt64 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                number = number << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"):
                number = number << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return number
    }

    /// Appends the position as text.
    func appendText(to output: inout [UInt8]) {
        Self.append(UInt64(epoch.loop), digits: 2, to: &output)
        Self.append(UInt64(epoch.beganAt) & 0xFFFF_FFFF_FFFF, digits: 12, to: &output)
        Self.append(epoch.secret, digits: 16, to: &output)
        output.append(UInt8(ascii: "-"))
        output += String(number).utf8
    }

    private static func append(_ number: UInt64, digits: Int, to output: inout [UInt8]) {
        for place in (0..<digits).reversed() {
            let digit = UInt8(number >> UInt64(4 * place) & 15)
            output.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") - 10 + digit)
        }
    }
}

/// What a page asks for that can resume.
enum ResumeRequest: Equatable, Sendable {
    /// It is new.
    case begin
    /// It has had everything up to there.
    case after(StreamPosition)
    /// It names a place that no daemon of this kind has given out.
    case unknown

    /// The stream that is asked for.
    var epoch: StreamEpoch? {
        guard case .after(let position) = self else { return nil }
        return position.epoch
    }

    /// Reads the query of a request's target, percent-decoded; nil for a page that cannot resume.
    ///
    /// A query that says it twice, in different words, tells of no place: what the page has had is not
    /// known.
    init?(query: String?) {
        guard let query else { return nil }
        let values = Set(
            query.split(separator: "&").compactMap { field -> String? in
                let sides = field.split(
                    separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard sides.count == 2, PercentEncoding.decode(sides[0]) == "resume" else {
                    return nil
                }
                return PercentEncoding.decode(sides[1]) ?? ""
            })
        guard let value = values.first else { return nil }
        if values.count > 1 {
            self = .unknown
        } else if value == "1" {
            self = .begin
        } else if let position = StreamPosition(value) {
            self = .after(position)
        } else {
            self = .unknown
        }
    }
}
