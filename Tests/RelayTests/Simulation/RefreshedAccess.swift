@testable import Relay
import Synchronization

/// The files of passwords and URL, as a test has them.
final class RefreshedAccess: Sendable {
    private let state = Mutex((answer: RedisRefresh.unchanged, reads: 0))

    /// How often they were read.
    var reads: Int { state.withLock { $0.reads } }

    /// What they say from now on.
    func answer(_ answer: RedisRefresh) { state.withLock { $0.answer = answer } }

    /// Reads them.
    @Sendable func read() -> RedisRefresh {
        state.withLock { state in
            state.reads += 1
            return state.answer
        }
    }
}
