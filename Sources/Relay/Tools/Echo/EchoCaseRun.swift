import WSFrame

/// The order in which a client takes the cases of an Autobahn `fuzzingserver`: their number is asked
/// for, each has a connection of its own, and the last connection has the reports written.
struct EchoCaseRun {
    let address: SocketAddress
    /// The name under which the reports are written; letters, digits, `-`, `_` and `.` only.
    let agent: String

    private enum Step {
        case start, counting, running(Int), reporting
    }

    private var step = Step.start
    private var count: Int?

    init(address: SocketAddress, agent: String) {
        self.address = address
        self.agent = agent
    }

    /// Why the run ended before its time; nil after a whole run.
    var failure: String? {
        if case .reporting = step { return nil }
        return "the server did not tell the number of its cases"
    }

    /// The path of the next connection; nil when there is none to make.
    mutating func nextPath() -> String? {
        switch step {
        case .start:
            step = .counting
            return "/getCaseCount"
        case .counting:
            return count.map { path(ofCase: 1, of: $0) }
        case .running(let number):
            return count.map { path(ofCase: number + 1, of: $0) }
        case .reporting:
            return nil
        }
    }

    private mutating func path(ofCase number: Int, of count: Int) -> String {
        guard number <= count else {
            step = .reporting
            return "/updateReports?agent=\(agent)"
        }
        step = .running(number)
        return "/runCase?case=\(number)&agent=\(agent)"
    }

    /// Takes a message that is meant for the run itself; any other is to be sent back.
    mutating func takes(_ payload: WebSocketPayload, in buffer: [UInt8]) -> Bool {
        guard case .counting = step else { return false }
        count = Int(String(decoding: payload.bytes(in: buffer), as: UTF8.self))
        return true
    }
}
