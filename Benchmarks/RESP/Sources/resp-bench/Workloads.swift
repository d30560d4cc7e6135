import CHiredisBench
import RESP

/// Something to be measured: a round reads or writes so many bytes, which are so many messages.
struct Workload {
    let name: String
    let bytes: Int
    let messages: Int
    /// Does one round and returns the number of messages that came of it.
    let round: () -> Int

    /// What is handed to a parser at once, as from one read of a socket.
    static let piece = 16384

    static func all() -> [Workload] {
        var workloads: [Workload] = []
        for stream in Stream.all {
            let piece = stream.isSplit ? 1 : piece
            if stream.isMessages {
                workloads.append(stream.workload("ours") { pubSub($0, piece) })
            }
            if !stream.isMessages || stream.payload == 100 {
                workloads.append(stream.workload("ours, values") { values($0, piece) })
            }
            if stream.isRESP2 {
                workloads.append(
                    stream.workload("hiredis") { hiredis($0, piece, makingObjects: true) })
                workloads.append(
                    stream.workload("hiredis, no objects") {
                        hiredis($0, piece, makingObjects: false)
                    })
            }
        }
        return workloads + encoders()
    }

    private static func pubSub(_ bytes: [UInt8], _ piece: Int) -> Int {
        var parser = PubSubParser()
        var buffer = ReceiveBuffer()
        var messages = 0
        var start = 0
        while start < bytes.count {
            let end = min(start + piece, bytes.count)
            buffer.append(bytes, start..<end)
            start = end
            var offset = 0
            while let step = try? parser.next(buffer.bytes.span, from: offset) {
                offset = step.end
                if case .message = step.event { messages += 1 } else { break }
            }
            buffer.removeFirst(offset)
        }
        return messages
    }

    private static func values(_ bytes: [UInt8], _ piece: Int) -> Int {
        var parser = RESPParser()
        var buffer = ReceiveBuffer()
        var count = 0
        var start = 0
        while start < bytes.count {
            let end = min(start + piece, bytes.count)
            buffer.append(bytes, start..<end)
            start = end
            var offset = 0
            while let step = try? parser.next(buffer.bytes.span, from: offset) {
                offset = step.end
                if step.value == nil { break }
                count += 1
            }
            buffer.removeFirst(offset)
        }
        return count
    }

    private static func hiredis(_ bytes: [UInt8], _ piece: Int, makingObjects: Bool) -> Int {
        unsafe hiredis_bench_read(bytes, bytes.count, piece, makingObjects ? 1 : 0)
    }

    private static func encoders() -> [Workload] {
        let payload = [UInt8](repeating: 0x61, count: 100)
        let channel = Stream.channel
        var encoder = RESPEncoder()
        func write() {
            encoder.arrayHeader(3)
            encoder.bulkString("PUBLISH")
            encoder.bulkString(channel)
            encoder.bulkString(payload)
        }
        write()
        let size = encoder.bytes.count
        let times = 500
        return [
            Workload(name: "write 100 ours", bytes: size * times, messages: times) {
                for _ in 0..<times {
                    encoder.removeAll()
                    write()
                }
                return encoder.bytes.count == size ? times : 0
            },
            Workload(name: "write 100 hiredis", bytes: size * times, messages: times) {
                let bytes = unsafe hiredis_bench_format(channel, payload, 100, times)
                return bytes == size * times ? times : 0
            },
        ]
    }
}

/// Bytes received and not consumed, in one piece, in storage that is used again.
struct ReceiveBuffer {
    private(set) var bytes: [UInt8] = []

    mutating func append(_ source: [UInt8], _ range: Range<Int>) {
        if range.count == 1 {
            bytes.append(source[range.lowerBound])
        } else {
            bytes.append(contentsOf: source[range])
        }
    }

    mutating func removeFirst(_ count: Int) {
        if count == bytes.count {
            bytes.removeAll(keepingCapacity: true)
        } else if count > 0 {
            bytes.removeFirst(count)
        }
    }
}

/// The input of some workloads.
struct Stream {
    static let channel = "run-42:status"

    let name: String
    let wire: [UInt8]
    let messages: Int
    var isMessages = false
    var payload = 0
    var isRESP2 = true
    var isSplit = false

    func workload(_ reader: String, _ round: @escaping ([UInt8]) -> Int) -> Workload {
        let wire = wire
        return Workload(name: "\(name) \(reader)", bytes: wire.count, messages: messages) {
            round(wire)
        }
    }

    static let all: [Stream] = {
        var streams = [20, 100, 1000, 100_000].map { message($0, ">") }
        streams += [20, 100, 1000, 100_000].map { message($0, "*") }
        var split = message(100, "*")
        split = Stream(
            name: "bytewise 100", wire: split.wire, messages: split.messages, isMessages: true,
            payload: 1, isSplit: true)
        streams.append(split)
        // hiredis 0.14 reads no more than seven arrays inside one another.
        let deep = String(repeating: "*1\r\n", count: 7) + ":1\r\n"
        streams.append(repeated("deep 7", deep, 2000))
        let wide = "*1000\r\n" + String(repeating: "$10\r\n0123456789\r\n", count: 1000)
        streams.append(repeated("wide 1000 strings", wide, 8))
        let integers = "*1000\r\n" + String(repeating: ":12345\r\n", count: 1000)
        streams.append(repeated("wide 1000 integers", integers, 16))
        return streams
    }()

    private static func repeated(_ name: String, _ wire: String, _ count: Int) -> Stream {
        let all = (0..<count).flatMap { _ in Array(wire.utf8) }
        return Stream(name: name, wire: all, messages: count)
    }

    private static func message(_ payload: Int, _ type: String) -> Stream {
        var encoder = RESPEncoder(version: type == ">" ? .resp3 : .resp2)
        var count = 0
        repeat {
            encoder.pushHeader(3)
            encoder.bulkString("message")
            encoder.bulkString(channel)
            encoder.bulkString([UInt8](repeating: 0x61, count: payload))
            count += 1
        } while encoder.bytes.count < 131_072 || count < 10
        return Stream(
            name: "\(type)3 \(payload)", wire: encoder.bytes, messages: count, isMessages: true,
            payload: payload, isRESP2: type == "*")
    }
}
