import WSFrame

/// Reads an answer of the admin listener: its status, and its body piece by piece.
///
/// Pure: bytes in, bytes out. It reads what ``AdminConnection`` writes: a body of known length, in
/// chunks (RFC 9112, section 7.1), or up to the end of the connection.
struct AdminAnswer {
    /// The longest head, and the longest line of a chunk.
    static let headLimit = 16 * 1024

    /// Why bytes are no answer.
    struct Malformed: Error, Equatable {
        let reason: String
    }

    private enum Body: Equatable {
        case head
        case untilEnd
        case rest(Int)
        case chunkSize
        case chunk(Int)
        case chunkEnd
        case trailer
        case complete
    }

    /// The status code, once the head is there.
    private(set) var status: Int?
    private var body = Body.head
    private var line: [UInt8] = []

    /// Whether the body has come to its end.
    var isComplete: Bool { body == .complete || body == .rest(0) }

    /// Whether the end of the connection is the end of the body.
    var endsWithConnection: Bool { body == .untilEnd }

    /// Takes bytes, and appends those of the body to `content`.
    mutating func feed(_ bytes: [UInt8], content: inout [UInt8]) throws(Malformed) {
        var offset = 0
        while offset < bytes.count {
            switch body {
            case .head: try takeHead(bytes[offset])
            case .chunkSize: try takeChunkSize(bytes[offset])
            case .chunkEnd, .trailer: takeLineEnd(bytes[offset])
            case .complete, .rest(0): return
            case .untilEnd:
                content += bytes[offset...]
                return
            case .rest(let left), .chunk(let left):
                let piece = min(left, bytes.count - offset)
                content += bytes[offset..<(offset + piece)]
                offset += piece
                if case .rest = body {
                    body = .rest(left - piece)
                } else {
                    body = left == piece ? .chunkEnd : .chunk(left - piece)
                }
                continue
            }
            offset += 1
        }
    }

    private mutating func takeHead(_ byte: UInt8) throws(Malformed) {
        line.append(byte)
        guard line.count <= Self.headLimit else { throw Malformed(reason: "its head is too long") }
        guard line.suffix(4).elementsEqual("\r\n\r\n".utf8) else { return }
        let lines = String(decoding: line, as: UTF8.self).split(separator: "\r\n")
        line = []
        let words = lines.first?.split(separator: " ", maxSplits: 2) ?? []
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let code = Int(words[1]) else {
            throw Malformed(reason: "it is no HTTP")
        }
        status = code
        body = .untilEnd
        for header in lines.dropFirst() {
            let sides = header.split(separator: ":", maxSplits: 1)
            guard sides.count == 2 else { continue }
            let value = String(sides[1]).trimmingBlanks().lowercased()
            switch sides[0].lowercased() {
            case "content-length":
                guard let length = Int(value), length >= 0 else {
                    throw Malformed(reason: "its length is none")
                }
                body = .rest(length)
            case "transfer-encoding": body = .chunkSize
            default: break
            }
        }
    }

    private mutating func takeChunkSize(_ byte: UInt8) throws(Malformed) {
        line.append(byte)
        guard line.count <= 32 else { throw Malformed(reason: "a chunk has no size") }
        guard byte == UInt8(ascii: "\n") else { return }
        let text = String(decoding: line, as: UTF8.self).trimmingBlanks()
        line = []
        guard let size = Int(text, radix: 16), size >= 0 else {
            throw Malformed(reason: "a chunk has no size")
        }
        body = size == 0 ? .trailer : .chunk(size)
    }

    private mutating func takeLineEnd(_ byte: UInt8) {
        guard byte == UInt8(ascii: "\n") else { return }
        body = body == .trailer ? .complete : .chunkSize
    }
}
