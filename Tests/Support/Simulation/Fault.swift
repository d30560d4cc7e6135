/// What can go wrong in a world.
///
/// A seed draws which of them its world has; shrinking leaves them out one after the other.
enum Fault: Int, CaseIterable {
    // The machine and its clocks.
    case suspend, standstill, lateWait, interruptedWait, slowTurn, wallJump, clockDrift
    // The kernel.
    case shortEventList, spuriousReadiness, staleReadiness, partialRead, partialWrite
    case descriptorsExhausted, smallBuffers
    // The network.
    case latency, loss, narrowPath, browserPathDead, redisPathDead, redisReset
    // Names.
    case lookUpFailure, lookUpHang, deadAddress, addressChange
    // Redis.
    case redisRestart, redisStall, redisErrors, redisGarbage, redisKill, redisLoading, redisOld
    case redisOverrun, redisNoPermission, failover
    // Browsers.
    case slowPage, stallingPage, silentPage, vanishingPage, leavingPage, maliciousPage, plainRequest
    // What is sent.
    case oversizedPayload, burst, oddPayload
    // The daemon.
    case daemonRestart, loopStandstill
    // A cluster.
    case resharding

    /// Whether the fault begins again and again, each time for a while, instead of always being
    /// there.
    var comesAndGoes: Bool {
        switch self {
        case .suspend, .standstill, .interruptedWait, .wallJump, .descriptorsExhausted,
            .browserPathDead, .redisPathDead, .redisReset, .lookUpFailure, .lookUpHang,
            .redisRestart, .redisStall, .redisErrors, .redisGarbage, .redisKill, .redisLoading,
            .redisOverrun, .burst, .addressChange, .redisNoPermission, .failover, .daemonRestart,
            .loopStandstill, .resharding:
            true
        default: false
        }
    }

    /// Whether any link to Redis may be lost by it, and not that of a single channel alone.
    var harmsLinks: Bool {
        switch self {
        case .redisPathDead, .redisReset, .lookUpFailure, .lookUpHang, .redisRestart, .redisStall,
            .redisErrors, .redisGarbage, .redisKill, .redisLoading, .redisOverrun,
            .descriptorsExhausted, .loss, .narrowPath, .addressChange, .failover, .resharding:
            true
        default: false
        }
    }

    /// Whether any page that does nothing wrong may lose its connection by it; what is wrong with the
    /// way to a single page is held against nobody else.
    var harmsPages: Bool {
        switch self {
        case .burst, .smallBuffers, .daemonRestart: true
        default: false
        }
    }
}

/// A set of faults.
struct FaultSet: OptionSet, Hashable {
    let rawValue: UInt64

    init(rawValue: UInt64) { self.rawValue = rawValue }

    init(_ faults: [Fault]) {
        self.init(rawValue: faults.reduce(0) { $0 | 1 << UInt64($1.rawValue) })
    }

    static let all = FaultSet(Fault.allCases)

    func contains(_ fault: Fault) -> Bool { rawValue >> UInt64(fault.rawValue) & 1 == 1 }

    mutating func insert(_ fault: Fault) { self = union(FaultSet([fault])) }

    mutating func remove(_ fault: Fault) { self = subtracting(FaultSet([fault])) }

    var list: [Fault] { Fault.allCases.filter { contains($0) } }
}
