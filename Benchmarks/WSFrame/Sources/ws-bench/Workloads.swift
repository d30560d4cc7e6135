import CWslayBench
import Glibc
import WSFrame

/// One thing to measure: a name, the bytes and frames that one round works on, and the round.
struct Workload {
    var name: String
    var bytes: Int
    var frames: Int
    var round: () -> Int
}

/// The inputs, made once.
enum Inputs {
    static let size = 64 * 1024

    /// Log lines in ASCII, as the service relays them.
    static let ascii = repeated(
        "2026-11-23 10:00:00 INFO wepp.nodb run: hillslope 42 of 117 done. ")
    /// Text of several alphabets.
    static let mixed = repeated("größer, Ελληνικά, русский, 日本語, emoji 😀, and ASCII. ")
    /// JSON, so with a quote in every few bytes.
    static let quoted = repeated(#"{"run":"ab-cd","step":"climate","msg":"done","n":12},"#)

    static func repeated(_ text: String) -> [UInt8] {
        let unit = Array(text.utf8)
        var bytes: [UInt8] = []
        while bytes.count + unit.count <= size { bytes += unit }
        return bytes + [UInt8](repeating: 0x20, count: size - bytes.count)
    }

    /// As many text frames of a client as fit 64 KiB, each with a key of its own.
    static func frames(payload count: Int) -> (bytes: [UInt8], frames: Int) {
        var bytes: [UInt8] = []
        var key: UInt32 = 0x37FA_213D
        var frames = 0
        let length = count + FrameEncoder.headerLength(payloadLength: count, isMasked: true)
        while bytes.count + length <= max(size, length) {
            FrameEncoder.append(.text, ascii.span.extracting(0..<count), mask: key, to: &bytes)
            key = key &* 0x9E37_79B9 | 1
            frames += 1
        }
        return (bytes, frames)
    }
}

extension Workload {
    static func all() -> [Workload] {
        [
            copying(), unmasking(), validating("UTF-8 ASCII", Inputs.ascii),
            validating("UTF-8 mixed", Inputs.mixed), escaping("JSON plain", Inputs.ascii),
            escaping("JSON quoted", Inputs.quoted), escaping("JSON mixed", Inputs.mixed),
            decoding(payload: 15), decoding(payload: 100), decoding(payload: 4000),
            wslayEvents(payload: 15), wslayEvents(payload: 100), wslayEvents(payload: 4000),
            wslayFrames(payload: 100), headers(), encoding(),
        ]
    }

    private static func copying() -> Workload {
        let source = Inputs.ascii
        var target = [UInt8](repeating: 0, count: source.count)
        return Workload(name: "memcpy", bytes: source.count, frames: 1) {
            unsafe source.withUnsafeBytes { from in
                unsafe target.withUnsafeMutableBytes { to in
                    guard let from = from.baseAddress, let to = to.baseAddress else { return }
                    unsafe memcpy(to, from, Inputs.size)
                }
            }
            return Int(target[0])
        }
    }

    private static func unmasking() -> Workload {
        var bytes = Inputs.ascii
        return Workload(name: "unmask", bytes: bytes.count, frames: 1) {
            var span = bytes.mutableSpan
            FrameEncoder.mask(&span, with: 0x37FA_213D)
            return Int(bytes[0])
        }
    }

    private static func validating(_ name: String, _ bytes: [UInt8]) -> Workload {
        Workload(name: name, bytes: bytes.count, frames: 1) {
            var validator = UTF8Validator()
            return validator.append(bytes.span) ? 1 : 0
        }
    }

    private static func escaping(_ name: String, _ bytes: [UInt8]) -> Workload {
        var output: [UInt8] = []
        output.reserveCapacity(2 * bytes.count)
        return Workload(name: name, bytes: bytes.count, frames: 1) {
            output.removeAll(keepingCapacity: true)
            return JSONStringEscaper.append(bytes.span, to: &output) + output.count
        }
    }

    private static func decoding(payload count: Int) -> Workload {
        let (bytes, frames) = Inputs.frames(payload: count)
        var buffer = bytes
        var decoder = WebSocketDecoder(role: .server, limits: .init(maxMessageSize: 1 << 16))
        return Workload(name: "decode \(count)", bytes: bytes.count, frames: frames) {
            // The decoder unmasks in place, so a round begins with a copy, as from a socket.
            copy(bytes, to: &buffer)
            return decodeAll(&decoder, &buffer)
        }
    }

    private static func decodeAll(
        _ decoder: inout WebSocketDecoder, _ buffer: inout [UInt8]
    ) -> Int {
        let end = buffer.count
        var offset = 0
        var total = 0
        while offset < end {
            guard let step = try? decoder.next(&buffer, from: offset, to: end),
                case .text(let payload) = step.event
            else { break }
            total += payload.count
            offset = step.end
        }
        return total
    }

    private static func copy(_ source: [UInt8], to target: inout [UInt8]) {
        unsafe source.withUnsafeBytes { from in
            unsafe target.withUnsafeMutableBytes { unsafe $0.copyMemory(from: from) }
        }
    }

    private static func wslayEvents(payload count: Int) -> Workload {
        let (bytes, frames) = Inputs.frames(payload: count)
        return Workload(name: "wslay events \(count)", bytes: bytes.count, frames: frames) {
            unsafe bytes.withUnsafeBufferPointer {
                unsafe wslay_bench_events($0.baseAddress, $0.count)
            }
        }
    }

    private static func wslayFrames(payload count: Int) -> Workload {
        let (bytes, frames) = Inputs.frames(payload: count)
        return Workload(name: "wslay frames \(count)", bytes: bytes.count, frames: frames) {
            unsafe bytes.withUnsafeBufferPointer {
                unsafe wslay_bench_frames($0.baseAddress, $0.count)
            }
        }
    }

    private static func headers() -> Workload {
        var output: [UInt8] = []
        output.reserveCapacity(Inputs.size)
        return Workload(name: "encode header", bytes: 100 * 655, frames: 655) {
            output.removeAll(keepingCapacity: true)
            for _ in 0..<655 { FrameEncoder.appendHeader(.text, length: 100, to: &output) }
            return output.count
        }
    }

    private static func encoding() -> Workload {
        let payload = Array(Inputs.ascii[..<100])
        var output: [UInt8] = []
        output.reserveCapacity(2 * Inputs.size)
        return Workload(name: "encode 100", bytes: 100 * 655, frames: 655) {
            output.removeAll(keepingCapacity: true)
            for _ in 0..<655 { FrameEncoder.append(.text, payload.span, to: &output) }
            return output.count
        }
    }
}
