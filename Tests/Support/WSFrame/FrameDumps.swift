package import Fuzzing
import Synchronization
import WSFrame

/// A capture shows as the same lines in one piece as in two, and one that is complete is what the
/// decoder reads without an error.
package enum FrameDumps {
    private struct Storage: Sendable {
        var whole: [UInt8] = []
        var split: [UInt8] = []
        var decoded = FrameRecording()
    }

    private static let storage = Mutex(Storage())

    /// Checks one input; see ``FrameInput`` for its first bytes.
    package static func check(_ input: Span<UInt8>) throws(PropertyFailure) {
        guard let choice = FrameInput(input) else { return }
        let bytes = input.extracting(3..<input.count)
        try storage.withLock { (storage: inout sending Storage) throws(PropertyFailure) in
            let cut = choice.seed % (bytes.count + 1)
            let whole = show(bytes, cut: 0, choice, &storage.whole)
            let split = show(bytes, cut: cut, choice, &storage.split)
            try PropertyFailure.unless(
                whole == split && storage.whole == storage.split, "\(whole), \(split) at \(cut)")
            try storage.decoded.decode(bytes, cut: 0, role: choice.role, limits: choice.limits)
            let error = storage.decoded.error
            switch whole {
            case .complete, .incomplete:
                try PropertyFailure.unless(error == nil, "\(whole), decoder: \(error as Any)")
            case .malformed(let offset, let reason):
                let isClosed = storage.decoded.events.last?.kind == .close
                try PropertyFailure.unless(
                    error?.reason == reason && offset <= bytes.count || isClosed,
                    "\(whole), decoder: \(error as Any)")
            }
            let lines = storage.whole.count { $0 == 0x0A }
            try PropertyFailure.unless(
                lines >= storage.decoded.events.count
                    && storage.whole.allSatisfy { $0 >= 0x20 || $0 == 0x0A },
                "lines: \(lines)")
        }
    }

    private static func show(
        _ bytes: Span<UInt8>, cut: Int, _ choice: FrameInput, _ lines: inout [UInt8]
    ) -> FrameDump.Outcome {
        lines.removeAll(keepingCapacity: true)
        var dump = FrameDump(role: choice.role, limits: choice.limits)
        dump.feed(bytes.extracting(0..<cut), to: &lines)
        dump.feed(bytes.extracting(cut..<bytes.count), to: &lines)
        return dump.finish()
    }
}
