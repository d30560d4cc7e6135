package import Fuzzing
import Synchronization
import WSFrame

/// UTF-8 validation and JSON escaping of any bytes, against the standard library's decoder.
package enum TextBytes {
    private struct Storage: Sendable {
        var escaped: [UInt8] = []
        var expected: [UInt8] = []
    }

    private static let storage = Mutex(Storage())

    /// Checks one input.
    package static func check(_ bytes: Span<UInt8>) throws(PropertyFailure) {
        try storage.withLock { (storage: inout sending Storage) throws(PropertyFailure) in
            storage.escaped.removeAll(keepingCapacity: true)
            let replacements = JSONStringEscaper.append(bytes, to: &storage.escaped)
            let expected = escape(bytes, to: &storage.expected)
            try PropertyFailure.unless(
                replacements == expected && storage.escaped == storage.expected,
                "\(replacements) replacements in \(storage.escaped), not \(storage.expected)")
            try checkValidator(bytes, isWellFormed: expected == 0)
        }
    }

    private static func checkValidator(
        _ bytes: Span<UInt8>, isWellFormed: Bool
    ) throws(PropertyFailure) {
        let cut = InputBytes.cut(bytes)
        var whole = UTF8Validator()
        let isAccepted = whole.append(bytes)
        var split = UTF8Validator()
        _ = split.append(bytes.extracting(0..<cut))
        let isAcceptedInParts = split.append(bytes, in: cut..<bytes.count)
        try PropertyFailure.unless(
            whole == split && isAccepted == isAcceptedInParts
                && (isAccepted && whole.isComplete) == isWellFormed,
            "\(whole), cut at \(cut) \(split)")
    }

    /// Escapes a character at a time; the number of replacements.
    private static func escape(_ bytes: Span<UInt8>, to output: inout [UInt8]) -> Int {
        output.removeAll(keepingCapacity: true)
        var replacements = 0
        var parser = Unicode.UTF8.ForwardParser()
        return unsafe bytes.withUnsafeBufferPointer { buffer in
            var iterator = unsafe buffer.makeIterator()
            while true {
                switch unsafe parser.parseScalar(from: &iterator) {
                case .emptyInput: return replacements
                case .error:
                    replacements += 1
                    output.append(contentsOf: [0xEF, 0xBF, 0xBD])
                case .valid(let scalar): escape(scalar, to: &output)
                }
            }
        }
    }

    private static func escape(
        _ scalar: Unicode.UTF8.EncodedScalar, to output: inout [UInt8]
    ) {
        let byte = scalar.first ?? 0
        if byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
            return output.append(contentsOf: scalar)
        }
        let short: Unicode.Scalar? =
            switch byte {
            case 0x08: "b"
            case 0x09: "t"
            case 0x0A: "n"
            case 0x0C: "f"
            case 0x0D: "r"
            case UInt8(ascii: "\""): "\""
            case UInt8(ascii: "\\"): "\\"
            default: nil
            }
        output.append(UInt8(ascii: "\\"))
        if let short { return output.append(UInt8(ascii: short)) }
        output.append(contentsOf: "u00".utf8)
        let digits: StaticString = "0123456789abcdef"
        unsafe output.append(digits.utf8Start[Int(byte >> 4)])
        unsafe output.append(digits.utf8Start[Int(byte & 0x0F)])
    }
}
