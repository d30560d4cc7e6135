@testable import Relay

/// What has happened: a hash of all of it, and the last of it to be read.
///
/// Two runs of a seed are the same when their hashes are.
struct Record {
    enum Kind: UInt8 {
        case wait, accept, listen, look, dial, decided, read, write, endSending, close, reset
        case arrival, request, opened, ping, message, notice, hangup, closeFrame, pageEnd
        case command, subscribed, publish, sessionEnd, redis, fault, standstill, suspend, wall
        case stage, dialFailed, failover, moved, killed, standing
        case nodeAway, cutOff, slotsMoved
    }

    fileprivate struct Entry {
        var time: Int64
        var kind: Kind
        var first: Int64
        var second: Int64
    }

    /// How much is kept to be read.
    var kept = 80

    private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    private var entries: [Entry] = []
    private var count = 0

    mutating func note(_ kind: Kind, at time: Int64, _ first: Int64 = 0, _ second: Int64 = 0) {
        mix(UInt64(bitPattern: time) &* 31 ^ UInt64(kind.rawValue))
        mix(UInt64(bitPattern: first) &* 0x9E37_79B9 ^ UInt64(bitPattern: second))
        let entry = Entry(time: time, kind: kind, first: first, second: second)
        if entries.count < kept {
            entries.append(entry)
        } else {
            entries[count % kept] = entry
        }
        count += 1
    }

    /// Takes a number into the hash.
    mutating func mix(_ bits: UInt64) {
        hash = (hash ^ bits) &* 0x0000_0100_0000_01B3
        hash ^= hash >> 29
    }

    /// Takes bytes into the hash.
    mutating func mix(bytes: some Sequence<UInt8>) {
        var word: UInt64 = 1
        for byte in bytes {
            word = word << 8 | UInt64(byte)
            if word >> 56 != 0 {
                mix(word)
                word = 1
            }
        }
        mix(word)
    }

    /// The last happenings as lines, oldest first; times count from `start`.
    func lines(from start: Int64) -> [String] {
        (count - entries.count..<count).map { position in
            let entry = entries[position % kept]
            let micros = (entry.time - start) / 1000
            let fraction = String(micros % 1_000_000)
            let padding = String(repeating: "0", count: 6 - fraction.count)
            return "\(micros / 1_000_000).\(padding)\(fraction) \(entry.text)"
        }
    }
}

extension Record.Entry {
    fileprivate var text: String {
        switch kind {
        case .wait: "wait: \(first) events\(second == 0 ? "" : ", not all")"
        case .accept: "accept: descriptor \(first)"
        case .listen: "listen: descriptor \(first)"
        case .look: "look-up \(first): \(second) addresses"
        case .dial: "dial: descriptor \(first), port \(second)"
        case .decided: "dial of \(first) is decided: error \(second)"
        case .dialFailed: "dial fails at once: error \(first)"
        case .read: "read \(first): \(second) bytes"
        case .write: "write \(first): \(second) bytes"
        case .endSending: "shutdown \(first)"
        case .close: "close \(first)\(second == 0 ? "" : " with a reset")"
        case .reset: "connection \(first) fails with error \(second)"
        case .arrival: "page \(first) connects: descriptor \(second)"
        case .request: "page \(first) has an answer: status \(second)"
        case .opened: "page \(first) is open"
        case .ping: "page \(first) is pinged"
        case .message: "page \(first) gets message \(second)"
        case .notice: "page \(first) is told of a loss up to \(second) ms"
        case .hangup: "page \(first) is hung up on"
        case .closeFrame: "page \(first) gets a close frame: \(second)"
        case .pageEnd: "page \(first) has lost its connection: \(second)"
        case .command: "redis, session \(first): command of \(second) words"
        case .subscribed: "redis, session \(first): subscribed to channel \(second)"
        case .publish: "redis: message \(second) on channel \(first)"
        case .sessionEnd: "redis, session \(first): ended"
        case .redis:
            "redis is \(RedisServer.Condition(rawValue: Int(first)).map { "\($0)" } ?? "?")"
        case .fault:
            "\(Fault(rawValue: Int(first)).map { "\($0)" } ?? "?")"
                + (second == 0 ? " ends" : " begins, \(second)")
        case .standstill: "the process stands still for \(first / 1_000_000) ms"
        case .suspend: "the machine sleeps for \(first / 1_000_000) ms"
        case .wall: "the wall clock jumps by \(first / 1_000_000) ms"
        case .stage: "stage \(first)"
        case .failover: "the master is at port \(first), and all know in \(second) ms"
        case .nodeAway: "node \(first) is away\(second == 0 ? "" : ", and silent")"
        case .cutOff: "node \(first) is cut off from the others"
        case .slotsMoved: "part \(first) of the slots goes to shard \(second)"
        case .moved: "redis moves to host \(first)"
        case .standing: "loop \(first) stands still for \(second / 1_000_000) ms"
        case .killed: "the daemon is killed, for \(first) ms"
        }
    }
}
