package import Fuzzing
package import WSFrame

/// An event with its payload copied, so that events of different decoders can be compared.
package enum PlainEvent: Sendable, Equatable {
    case text([UInt8])
    case binary([UInt8])
    case ping([UInt8])
    case pong([UInt8])
    case close(UInt16?, [UInt8])
}

/// All that a decoder made of some bytes.
package struct Transcript: Sendable, Equatable {
    /// The events in their order.
    package var events: [PlainEvent]
    /// What it failed with; nil when it would have read on.
    package var error: WebSocketError?

    /// Makes a transcript to compare with.
    package init(_ events: [PlainEvent] = [], error: WebSocketError? = nil) {
        self.events = events
        self.error = error
    }
}

extension Transcript {
    /// Feeds the bytes to a `WebSocketDecoder` in pieces that end at the given offsets.
    ///
    /// Each piece lies between guard bytes, which have to survive.
    package static func decode(
        _ bytes: [UInt8], role: WebSocketRole, limits: WebSocketLimits, cuts: [Int] = []
    ) throws(PropertyFailure) -> Transcript {
        var decoder = WebSocketDecoder(role: role, limits: limits)
        var transcript = Transcript()
        var start = 0
        for end in cuts + [bytes.count] where end >= start {
            let piece = Array(bytes[start..<end])
            start = end
            if try !feed(piece, to: &decoder, into: &transcript) { break }
        }
        return transcript
    }

    private static let guardBytes: [UInt8] = [0xA5, 0x5A, 0xC3]

    /// Feeds one piece; false when the decoder failed.
    private static func feed(
        _ piece: [UInt8], to decoder: inout WebSocketDecoder, into transcript: inout Transcript
    ) throws(PropertyFailure) -> Bool {
        var buffer = guardBytes + piece + guardBytes
        var offset = guardBytes.count
        let end = offset + piece.count
        while true {
            let step: WebSocketStep
            do {
                step = try decoder.next(&buffer, from: offset, to: end)
            } catch {
                transcript.error = error
                return false
            }
            guard step.end >= offset, step.end <= end else { throw .init("end out of range") }
            guard buffer.prefix(3) == guardBytes[...], buffer.suffix(3) == guardBytes[...] else {
                throw .init("guard bytes were written")
            }
            offset = step.end
            switch step.event {
            case .incomplete:
                guard offset == end else { throw .init("bytes left over") }
                return true
            case .text(let payload): transcript.events.append(.text(payload.bytes(in: buffer)))
            case .binary(let payload): transcript.events.append(.binary(payload.bytes(in: buffer)))
            case .ping(let payload): transcript.events.append(.ping(payload.bytes(in: buffer)))
            case .pong(let payload): transcript.events.append(.pong(payload.bytes(in: buffer)))
            case .close(let code, let reason):
                transcript.events.append(.close(code, reason.bytes(in: buffer)))
            }
        }
    }
}
