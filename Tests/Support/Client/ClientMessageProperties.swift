package import Fuzzing
import Relay

/// What has to hold for any bytes that are taken for a browser's message, in UTF-8 or not.
package enum ClientMessageProperties {
    /// Checks one input of the fuzzer.
    package static func check(_ input: Span<UInt8>) throws(PropertyFailure) {
        try check(InputBytes.array(input))
    }

    /// Checks all properties on one input of the fuzzer.
    package static func check(_ input: [UInt8]) throws(PropertyFailure) {
        let verdict = ClientMessage(input.span)
        let expected = ReferenceMessage.verdict(on: input)
        guard verdict == expected else {
            throw .init("\(input): \(verdict), reference: \(expected)")
        }
        try expect(" \t\r\n", input, "\n\r\t ", verdict)
        try checkNested(input)
    }

    /// The bytes between others, in the middle of a larger buffer, get the verdict that is expected.
    private static func expect(
        _ before: String, _ input: [UInt8], _ after: String, _ expected: ClientMessage
    ) throws(PropertyFailure) {
        let bytes = Array(before.utf8) + input + Array(after.utf8)
        let guarded = Array("\"{\\".utf8) + bytes + Array("\"}".utf8)
        let verdict = ClientMessage(guarded.span.extracting(3..<3 + bytes.count))
        guard verdict == expected else {
            throw .init("\(bytes): \(verdict), expected: \(expected)")
        }
    }

    /// What stands within another value asks for nothing.
    private static func checkNested(_ input: [UInt8]) throws(PropertyFailure) {
        let element = ReferenceMessage.verdict(on: Array("[".utf8) + input + Array("]".utf8))
        guard element == .unknown || element == .malformed else {
            throw .init("[\(input)]: \(element)")
        }
        try expect("[", input, "]", element)
        let start = #"{"type":"init","x":"#
        let member = Array(start.utf8) + input + Array("}".utf8)
        try expect(start, input, "}", ReferenceMessage.verdict(on: member))
    }
}
