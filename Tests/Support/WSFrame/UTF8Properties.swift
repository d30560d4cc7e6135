package import Fuzzing
import WSFrame

/// What has to hold of UTF-8 validation and JSON escaping for any bytes.
package enum UTF8Properties {
    /// Checks the validator and the escaper against the standard library.
    package static func check(_ bytes: [UInt8], seed: UInt64) throws(PropertyFailure) {
        try checkValidator(bytes, cuts: [])
        try checkValidator(bytes, cuts: WebSocketProperties.cuts(bytes.count, seed: seed))
        if bytes.count <= 256 {
            try checkValidator(bytes, cuts: Array(1..<max(bytes.count, 1)))
        }
        try checkEscaper(bytes)
    }

    /// The validator says what the standard library says, and says it after the first bad byte.
    package static func checkValidator(
        _ bytes: [UInt8], cuts: [Int]
    ) throws(PropertyFailure) {
        var validator = UTF8Validator()
        var start = 0
        for end in cuts + [bytes.count] {
            let isAccepted = validator.append(bytes.span, in: start..<end)
            start = end
            // The prefixes of short inputs only: the reference is quadratic.
            if cuts.count < 300, isAccepted != ReferenceDecoder.beginsUTF8(Array(bytes[..<end])) {
                throw .init("validator: prefix of \(end) bytes of \(bytes)")
            }
            if !isAccepted { break }
        }
        guard validator.isComplete == ReferenceDecoder.isUTF8(bytes) else {
            throw .init("validator: \(bytes) is complete: \(validator.isComplete)")
        }
    }

    /// What the escaper writes decodes to the payload as the standard library repairs it, and the
    /// replacements are counted.
    package static func checkEscaper(_ bytes: [UInt8]) throws(PropertyFailure) {
        var output: [UInt8] = [0x22]
        let replacements = JSONStringEscaper.append(bytes.span, to: &output)
        guard let decoded = JSONStringDecoder.decode(Array(output.dropFirst())) else {
            throw .init("escaper: no JSON string: \(output)")
        }
        let repaired = String(decoding: bytes, as: UTF8.self)
        guard decoded.unicodeScalars.elementsEqual(repaired.unicodeScalars) else {
            throw .init("escaper: \(bytes) became \(decoded.debugDescription)")
        }
        let marks = repaired.unicodeScalars.count { $0 == "\u{FFFD}" }
        let genuine = bytes.indices.count { bytes[$0...].starts(with: [0xEF, 0xBF, 0xBD]) }
        guard replacements == marks - genuine else {
            throw .init("escaper: \(replacements) replacements, not \(marks - genuine)")
        }
    }
}
