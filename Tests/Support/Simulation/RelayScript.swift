package import Fuzzing
import RESP
import WSFrame

@testable import Relay

/// The whole relay on the simulated machine, with both sides in the hands of a fuzzer: the input is a
/// script of steps, a byte each with what it needs behind it; see ``Step``.
///
/// What must hold: no trap; all of ``Checks``, that is balanced ledgers, descriptors that are known and
/// closed, bounded queues, timers in time; no use of a descriptor after its close; what browsers get
/// is HTTP and well-formed frames; and an orderly end.
package enum RelayScript {
    /// What happens next. With bit 7 of its byte set, no time passes behind it.
    enum Step: Int, CaseIterable {
        /// A browser connects.
        case connect
        /// A browser sends bytes as they are; a good request for an upgrade; a message; a message
        /// that the daemon knows; a frame of any opcode.
        case browserBytes, upgrade, say, sayKnown, frame
        /// A browser ends its stream; resets; vanishes; stops or goes on reading.
        case browserEnds, browserResets, browserVanishes, browserReads
        /// Redis sends bytes as they are on a link; a good answer; a message.
        case redisBytes, answer, publish
        /// Redis ends a link; resets it; stops or goes on reading; refuses dials or takes them; is
        /// down, stalled or loading for a while.
        case redisEnds, redisResets, redisReads, redisRefuses, redisCondition
        /// Time passes; the process stands still.
        case timePasses, standstill
        /// The operator asks the daemon to end.
        case terminate
        /// A plain request, whole.
        case request
    }

    /// The most steps of one script.
    private static let stepLimit = 300

    /// Checks one input.
    package static func check(_ bytes: Span<UInt8>) throws(PropertyFailure) {
        var run = ScriptRun(ByteScript(bytes))
        for _ in 0..<stepLimit where run.goesOn { run.takeStep() }
        run.finish()
        if let violation = run.violation { throw PropertyFailure(violation) }
    }
}
