package import Fuzzing
import Synchronization
import WSFrame

/// What holds of ``WebSocketDecoder`` for any bytes, cheaply: no trap, offsets that only grow, nothing
/// written outside the given bytes, limits kept, and the same events for bytes in one piece as in two.
package enum FrameStreams {
    private struct Storage: Sendable {
        var whole = FrameRecording()
        var split = FrameRecording()
    }

    private static let storage = Mutex(Storage())

    /// Checks one input; see ``FrameInput`` for its first bytes.
    package static func check(_ input: Span<UInt8>) throws(PropertyFailure) {
        guard let choice = FrameInput(input) else { return }
        let bytes = input.extracting(3..<input.count)
        try storage.withLock { (storage: inout sending Storage) throws(PropertyFailure) in
            let cut = choice.seed % (bytes.count + 1)
            try storage.whole.decode(bytes, cut: 0, role: choice.role, limits: choice.limits)
            try storage.split.decode(bytes, cut: cut, role: choice.role, limits: choice.limits)
            try PropertyFailure.unless(
                FrameRecording.isSame(storage.whole, storage.split),
                "cut at \(cut): \(storage.split); whole: \(storage.whole)")
        }
    }
}
