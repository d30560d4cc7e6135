import RESP

/// Keeps passwords out of the trace.
struct TraceMask: Sendable {
    private static let mask = Array(Secret.mask.utf8)
    /// Behind these words Redis repeats the arguments of a command that it does not know.
    private static let echo = Array("args beginning with:".utf8)

    private let secrets: [[UInt8]]

    /// Makes a mask that also knows the passwords in use.
    init(secrets: [Secret]) {
        self.secrets = secrets.map { Array($0.revealed.utf8) }.filter { !$0.isEmpty }
    }

    /// The value as it may be shown; nil where it may be shown as it is.
    func masked(_ value: RESPValue, _ direction: Trace.Direction) -> RESPValue? {
        switch direction {
        case .sent:
            let masked = value.maskingPasswords()
            return masked == value ? nil : masked
        case .received:
            guard value.isError, let content = value.bytes else { return nil }
            let masked = self.masked(Array(content))
            if masked.elementsEqual(content) { return nil }
            let text = String(decoding: masked, as: UTF8.self)
            return value.kind == .simpleError ? .simpleError(text) : .bulkError(text)
        }
    }

    /// Bytes from Redis without the arguments of a command and without the passwords in use.
    func masked(_ bytes: [UInt8]) -> [UInt8] {
        var result = bytes
        if let end = Self.index(behind: Self.echo, in: result[...]) {
            result.replaceSubrange(end..., with: [UInt8(ascii: " ")] + Self.mask)
        }
        for secret in secrets {
            var start = 0
            while let end = Self.index(behind: secret, in: result[start...]) {
                result.replaceSubrange((end - secret.count)..<end, with: Self.mask)
                start = end - secret.count + Self.mask.count
            }
        }
        return result
    }

    private static func index(behind part: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= part.count else { return nil }
        for start in bytes.startIndex...(bytes.endIndex - part.count)
        where bytes[start...].starts(with: part) {
            return start + part.count
        }
        return nil
    }
}
