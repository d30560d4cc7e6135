import Glibc

/// Prints a table of rates, or runs one workload a fixed number of times for callgrind:
/// `ws-bench [--run NAME ROUNDS]`.

func nanoseconds() -> Int {
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// Nanoseconds of one round: the best of many short series, since the machine is shared.
func measure(_ workload: Workload) -> Double {
    var best = Double.infinity
    var rounds = 1
    let deadline = nanoseconds() + 700_000_000
    while nanoseconds() < deadline {
        let start = nanoseconds()
        var check = 0
        for _ in 0..<rounds { check &+= workload.round() }
        let time = nanoseconds() - start
        guard check != 0 else { fatalError("\(workload.name) did nothing") }
        best = min(best, Double(time) / Double(rounds))
        if time < 1_000_000 { rounds *= 2 }
    }
    return best
}

func rounded(_ value: Double) -> String {
    "\((value * 100).rounded() / 100)"
}

let arguments = CommandLine.arguments
if arguments.count == 4, arguments[1] == "--run", let rounds = Int(arguments[3]) {
    guard let workload = Workload.all().first(where: { $0.name == arguments[2] }) else {
        print("no such workload; there are: \(Workload.all().map(\.name))")
        exit(2)
    }
    for _ in 0..<rounds where workload.round() == 0 { exit(1) }
    print("\(workload.frames * rounds) frames")
    exit(0)
}

var yardstick = 0.0
print("| workload | GB/s | of memcpy | ns a frame |")
print("| --- | ---: | ---: | ---: |")
for workload in Workload.all() {
    let time = measure(workload)
    let rate = Double(workload.bytes) / time
    if workload.name == "memcpy" { yardstick = rate }
    let frame = workload.frames > 1 ? rounded(time / Double(workload.frames)) : ""
    let part = yardstick == 0 ? "" : rounded(rate / yardstick)
    print("| \(workload.name) | \(rounded(rate)) | \(part) | \(frame) |")
}
