import Glibc

/// Measures the timer wheel at the heartbeats of many connections, and prints a table:
/// `timer-bench [CONNECTIONS [SECONDS]]`.
///
/// The time that the wheel is shown goes on by itself in milliseconds; what is measured is the
/// processor's time that the wheel takes for so many seconds of it, and by how much of the shown time
/// a timer fired behind its deadline at the most.

let arguments = CommandLine.arguments
let connections = arguments.count > 1 ? Int(arguments[1]) ?? 100_000 : 100_000
let seconds = arguments.count > 2 ? Int(arguments[2]) ?? 60 : 60

/// Nanoseconds that this process has spent on a core.
func processorTime() -> Int {
    var now = timespec()
    unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now)
    return now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// What is done with the timers beside their heartbeats.
enum Churn: String {
    case none = "heartbeats alone"
    case deadlines = "and a deadline armed and disarmed at each"
}

/// A wheel that holds a timer armed for each connection and one more that comes and goes.
struct Heartbeats {
    static let cadence = Nanoseconds.seconds(5)
    static let writeTimeout = Nanoseconds.seconds(2)

    private var wheel = TimerWheel(start: Instant(nanoseconds: 0))
    private var heartbeats: [TimerID] = []
    private var deadlines: [TimerID] = []
    private var dueAt: [Instant] = []
    private var due: [Token] = []
    private var now = Instant(nanoseconds: 0)
    /// How many timers have been armed, and how many have fired.
    private(set) var armed = 0
    private(set) var fired = 0
    /// The most by which a heartbeat fired behind its deadline.
    private(set) var lateness = Nanoseconds.zero

    init(connections: Int) {
        var generator = SystemRandomNumberGenerator()
        for index in 0..<connections {
            let owner = Token(.client, SlotID(index: UInt32(index), generation: 0))
            heartbeats.append(wheel.makeTimer(owner: owner))
            deadlines.append(wheel.makeTimer(owner: owner))
            // Phases are spread over the connections.
            let phase = Int64.random(in: 0..<Self.cadence.count, using: &generator)
            dueAt.append(now + Nanoseconds(phase))
            wheel.arm(heartbeats[index], at: dueAt[index])
        }
    }

    /// Turns the wheel once each millisecond.
    mutating func run(seconds: Int, churn: Churn) {
        for _ in 0..<(seconds * 1000) {
            now = now + .milliseconds(1)
            due.removeAll(keepingCapacity: true)
            while wheel.expire(now: now, limit: 4096, into: &due) {}
            for owner in due {
                let index = Int(owner.id.index)
                lateness = max(lateness, now - dueAt[index])
                dueAt[index] = now + Self.cadence
                wheel.arm(heartbeats[index], at: dueAt[index])
                armed += 1
                if churn == .deadlines {
                    wheel.arm(deadlines[index], at: now + Self.writeTimeout)
                    wheel.disarm(deadlines[index])
                    armed += 1
                }
            }
            fired += due.count
        }
    }

    var armedCount: Int { wheel.armedCount }
}

print("| timers | workload | of a core | ns each arming | fired | latest, ms |")
print("| ---: | --- | ---: | ---: | ---: | ---: |")
for churn in [Churn.none, .deadlines] {
    var best = Int.max
    var heartbeats = Heartbeats(connections: connections)
    // The first round takes the storage that the others use again.
    heartbeats.run(seconds: 5, churn: churn)
    var perArming = 0
    var fired = 0
    for _ in 0..<3 {
        let before = heartbeats.armed
        let firedBefore = heartbeats.fired
        let start = processorTime()
        heartbeats.run(seconds: seconds, churn: churn)
        let time = processorTime() - start
        if time < best {
            best = time
            perArming = time / max(1, heartbeats.armed - before)
            fired = heartbeats.fired - firedBefore
        }
    }
    guard heartbeats.armedCount == connections else { fatalError("a heartbeat was lost") }
    let hundredths = best / (seconds * 100_000)
    let share = "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100) %"
    let latest = heartbeats.lateness.count / 10_000
    let late = "\(latest / 100).\(latest % 100 < 10 ? "0" : "")\(latest % 100)"
    print("| \(connections) | \(churn.rawValue) | \(share) | \(perArming) | \(fired) | \(late) |")
}
