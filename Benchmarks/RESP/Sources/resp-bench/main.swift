import Glibc

/// Prints a table of rates, runs one workload a fixed number of times for callgrind, or writes the
/// inputs into a folder for other programs:
/// `resp-bench [--run NAME ROUNDS | --write FOLDER]`.

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
        var messages = 0
        for _ in 0..<rounds { messages += workload.round() }
        let time = nanoseconds() - start
        guard messages == rounds * workload.messages else {
            fatalError("\(workload.name): \(messages) messages, not \(workload.messages)")
        }
        best = min(best, Double(time) / Double(rounds))
        if time < 1_000_000 { rounds *= 2 }
    }
    return best
}

func rounded(_ value: Double) -> String {
    value < 10 ? "\((value * 100).rounded() / 100)" : "\(Int(value.rounded()))"
}

let arguments = CommandLine.arguments
if arguments.count == 4, arguments[1] == "--run", let rounds = Int(arguments[3]) {
    guard let workload = Workload.all().first(where: { $0.name == arguments[2] }) else {
        print("no such workload; there are: \(Workload.all().map(\.name))")
        exit(2)
    }
    for _ in 0..<rounds where workload.round() != workload.messages { exit(1) }
    print("\(workload.messages * rounds) messages")
    exit(0)
}
if arguments.count == 3, arguments[1] == "--write" {
    for stream in Stream.all {
        let path = "\(arguments[2])/\(stream.name.replacing(" ", with: "-")).\(stream.messages)"
        guard let file = unsafe fopen(path, "w") else { exit(1) }
        let count = unsafe fwrite(stream.wire, 1, stream.wire.count, file)
        let isClosed = unsafe fclose(file) == 0
        if count != stream.wire.count || !isClosed { exit(1) }
    }
    exit(0)
}

print("| workload | MB/s | messages/s | ns a message |")
print("| --- | ---: | ---: | ---: |")
for workload in Workload.all() {
    let time = measure(workload)
    let rate = Double(workload.bytes) / time * 1000
    let message = time / Double(workload.messages)
    let perSecond = Int((1_000_000_000 / message).rounded())
    print("| \(workload.name) | \(rounded(rate)) | \(perSecond) | \(rounded(message)) |")
}
