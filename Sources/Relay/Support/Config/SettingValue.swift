/// Why a text is not a value: a clause that follows the value, such as "is not a duration".
///
/// It never quotes the text, which may be secret.
struct InvalidValue: Error, Equatable {
    let reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}

/// How one kind of value is written in the environment and on the command line.
struct SettingValue<Value: Sendable>: Sendable {
    /// What stands for the value in a usage text, such as `duration`.
    let placeholder: String
    /// Reads a text; only that of a flag may be empty.
    let parse: @Sendable (String) throws(InvalidValue) -> Value
    /// Writes a value so that `parse` reads the same value back.
    let print: @Sendable (Value) -> String
}

extension SettingValue<Nanoseconds> {
    /// A duration of at least so many milliseconds; a shorter one is a mistake, most often of the
    /// unit, with which the daemon would do nothing but what it is the cadence of.
    static func duration(atLeast milliseconds: Int64) -> SettingValue {
        SettingValue(
            placeholder: "duration",
            parse: { (text) throws(InvalidValue) in
                try longEnough(try GoDuration.parse(text), milliseconds)
            },
            print: GoDuration.print)
    }

    /// A duration, or zero.
    static let durationOrZero = SettingValue(
        placeholder: "duration",
        parse: { (text) throws(InvalidValue) in
            let span = try GoDuration.parse(text)
            guard span >= .zero else { throw InvalidValue("is negative") }
            return span
        },
        print: GoDuration.print)

    /// A duration of at least so many milliseconds; what is not positive disables, as it does in the
    /// Go service.
    static func durationOrDisabled(atLeast milliseconds: Int64) -> SettingValue {
        SettingValue(
            placeholder: "duration",
            parse: { (text) throws(InvalidValue) in
                let span = try GoDuration.parse(text)
                return span > .zero ? try longEnough(span, milliseconds) : .zero
            },
            print: GoDuration.print)
    }

    private static func longEnough(
        _ span: Nanoseconds, _ milliseconds: Int64
    ) throws(InvalidValue) -> Nanoseconds {
        guard span >= .milliseconds(milliseconds) else {
            throw InvalidValue("is under \(milliseconds)ms")
        }
        return span
    }
}

extension SettingValue<Int> {
    /// A whole number within `range`.
    static func integer(in range: ClosedRange<Int>) -> SettingValue {
        SettingValue(
            placeholder: "number",
            parse: { (text) throws(InvalidValue) in
                guard let number = Int(text) else { throw InvalidValue("is not a whole number") }
                guard range.contains(number) else {
                    throw InvalidValue("is not from \(range.lowerBound) to \(range.upperBound)")
                }
                return number
            },
            print: { String($0) })
    }

    /// A whole number; what is not positive means "no cap", as it does in the Go service.
    static let cap = SettingValue(
        placeholder: "number",
        parse: { (text) throws(InvalidValue) in
            guard let number = Int(text) else { throw InvalidValue("is not a whole number") }
            return max(0, number)
        },
        print: { String($0) })

    /// A number of bytes from 1 to 1 GiB, with or without a unit.
    static let size = SettingValue(
        placeholder: "size",
        parse: { (text) throws(InvalidValue) in try ByteSize.parse(text) },
        print: ByteSize.print)
}

extension SettingValue<Bool> {
    /// Go's booleans in any letter case.
    static let boolean = SettingValue(
        placeholder: "true|false",
        parse: { (text) throws(InvalidValue) in
            switch text.lowercased() {
            case "1", "t", "true": return true
            case "0", "f", "false": return false
            default: throw InvalidValue("is not one of 1, t, true, 0, f, false")
            }
        },
        print: { String($0) })
}

extension SettingValue<LogLevel> {
    /// A level of severity in any letter case.
    static let level = SettingValue(
        placeholder: "level",
        parse: { (text) throws(InvalidValue) in
            let word = text.trimmingBlanks().lowercased()
            if let level = LogLevel(rawValue: word == "warning" ? "warn" : word) { return level }
            throw InvalidValue("is not one of debug, info, warn, warning, error")
        },
        print: { $0.rawValue })
}

extension SettingValue<RedisSubscriptions> {
    /// How subscriptions are spread, in any letter case.
    static let subscriptions = SettingValue(
        placeholder: "dedicated|shared",
        parse: { (text) throws(InvalidValue) in
            let word = text.trimmingBlanks().lowercased()
            if let mode = RedisSubscriptions(rawValue: word) { return mode }
            throw InvalidValue("is not one of dedicated, shared")
        },
        print: { $0.rawValue })
}

extension SettingValue<[String]> {
    /// Patterns of origins with commas or blanks between them, of which none is malformed.
    static let originPatterns = SettingValue(
        placeholder: "patterns",
        parse: { (text) throws(InvalidValue) in
            let patterns = OriginPattern.list(text)
            guard !patterns.isEmpty || text.isEmpty else { throw InvalidValue("has no pattern") }
            if let pattern = patterns.first(where: { OriginPattern($0) == nil }) {
                throw InvalidValue("has the malformed pattern \(pattern.debugDescription)")
            }
            return patterns
        },
        print: { $0.joined(separator: ",") })
}

extension SettingValue<TrustedProxies> {
    /// Addresses, networks and the word `unix`, with commas between them.
    static let trustedProxies = SettingValue(
        placeholder: "networks",
        parse: { (text) throws(InvalidValue) in try TrustedProxies(parsing: text) },
        print: { $0.configured })
}

extension SettingValue<String?> {
    /// Any text; an empty one stands for none.
    static let optionalText = SettingValue(
        placeholder: "text",
        parse: { (text) throws(InvalidValue) in text.isEmpty ? nil : text },
        print: { $0 ?? "" })
}

extension SettingValue<Secret?> {
    /// A password, which is never printed; an empty one stands for none.
    static let secret = SettingValue(
        placeholder: "password",
        parse: { (text) throws(InvalidValue) in text.isEmpty ? nil : Secret(text) },
        print: { $0 == nil ? "" : Secret.mask })
}

extension SettingValue<ListenAddress> {
    /// `host:port`, `:port`, `[v6]:port` or `unix:/path`.
    static let listenAddress = SettingValue(
        placeholder: "address",
        parse: { (text) throws(InvalidValue) in try ListenAddress(parsing: text) },
        print: { $0.description })
}

extension SettingValue<ListenAddress?> {
    /// An address that only this machine reaches; an empty text stands for none.
    static let adminAddress = SettingValue(
        placeholder: "address",
        parse: { (text) throws(InvalidValue) in
            text.isEmpty ? nil : try AdminAddress.parse(text)
        },
        print: { $0?.description ?? "" })
}

extension SettingValue<RedisTarget> {
    /// A URL of scheme `redis`, `rediss` or `unix`.
    static let redisURL = SettingValue(
        placeholder: "url",
        parse: { (text) throws(InvalidValue) in try RedisURL.parse(text).target },
        print: { $0.displayURL })
}

extension String {
    /// The text without the white space (ASCII) at both ends.
    func trimmingBlanks() -> String {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        guard let first = utf8.firstIndex(where: { !isBlank($0) }),
            let last = utf8.lastIndex(where: { !isBlank($0) })
        else { return "" }
        return String(self[first...last])
    }
}

/// Numbers of bytes: `65536`, `64KB`, `64KiB`, `1MB`, `1MiB`.
///
/// `KB` is 1,024 bytes and `MB` 1,048,576, as they were in the Go service.
enum ByteSize {
    /// The largest size that any setting may have: 1 GiB.
    static let maximum = 1 << 30

    /// Reads a size from 1 to ``maximum``.
    static func parse(_ text: String) throws(InvalidValue) -> Int {
        let digits = text.utf8.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        let unit: Int
        switch String(text[digits.endIndex...]).lowercased() {
        case "", "b": unit = 1
        case "kb", "kib": unit = 1 << 10
        case "mb", "mib": unit = 1 << 20
        default: throw malformed
        }
        if digits.isEmpty { throw malformed }
        guard let number = Int(String(digits) ?? "") else { throw tooLarge }
        let (size, overflow) = number.multipliedReportingOverflow(by: unit)
        guard !overflow, size <= maximum else { throw tooLarge }
        guard size > 0 else { throw InvalidValue("is not more than nothing") }
        return size
    }

    /// Prints a size in the largest unit that holds it exactly.
    static func print(_ size: Int) -> String {
        if size > 0 && size % (1 << 20) == 0 { return "\(size >> 20)MB" }
        if size > 0 && size % (1 << 10) == 0 { return "\(size >> 10)KB" }
        return String(size)
    }

    private static let malformed = InvalidValue("is not a size such as 65536, 64KB or 1MiB")
    private static let tooLarge = InvalidValue("is larger than 1024MB")
}
