import ArgumentParser
import RESP
import Relay
import WSFrame

/// `status2 decode`: shows captured bytes as lines of JSON.
struct Decode: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decode",
        abstract: "Shows captured bytes as lines of JSON.",
        discussion: """
            The status is 0 when the capture ends behind a value, 1 when it is malformed or cannot be \
            read, 2 when the command line cannot be used, and 3 when the capture ends inside a value.
            """,
        subcommands: [DecodeRESP.self, DecodeWS.self])

    func run() throws {
        throw ValidationError("Say what is to be decoded: resp or ws.")
    }
}

/// A subcommand that ends with a status of its own.
protocol DecodingCommand: ParsableCommand {
    /// Decodes to standard output; gives back the exit status.
    func decode() -> Int32
}

/// `status2 decode resp`
struct DecodeRESP: DecodingCommand {
    static let configuration = CommandConfiguration(
        commandName: "resp",
        abstract: "Shows RESP as one line of JSON a value.",
        discussion: """
            The capture is the bytes of one direction of a connection to Redis, or a trace that the \
            daemon has written with --trace-format json or hex; its first bytes tell which.
            """)

    @Argument(help: "The capture; standard input without it, or where it is -.")
    var file: String?

    func decode() -> Int32 {
        var decoder = CaptureDecoder()
        return Decoding.run(
            file, feed: { decoder.feed($0, lines: &$1) },
            finish: { lines in
                let outcome = decoder.finish(lines: &lines)
                if let remark = decoder.remark { Host.writeToStandardError("status2: \(remark)\n") }
                switch outcome {
                case .complete: return .complete
                case .malformed(let reason): return .malformed(reason)
                case .incomplete(let count): return .incomplete(at: count)
                }
            })
    }
}

/// `status2 decode ws`
struct DecodeWS: DecodingCommand {
    /// The end of the connection whose received bytes were captured.
    enum Role: String, ExpressibleByArgument, CaseIterable {
        case client, server
    }

    static let configuration = CommandConfiguration(
        commandName: "ws", abstract: "Shows WebSocket frames as one line of JSON a frame.")

    @Option(
        help: """
            The end that received the captured bytes: a server receives masked frames, a client \
            unmasked ones. Without it the first frame tells.
            """)
    var role: Role?

    @Argument(help: "The capture; standard input without it, or where it is -.")
    var file: String?

    func decode() -> Int32 {
        var dump = role.map { FrameDump(role: $0 == .server ? .server : .client) }
        var start: [UInt8] = []
        return Decoding.run(
            file,
            feed: { bytes, lines in
                if dump == nil {
                    start += bytes
                    // The mask bit is the highest of the second byte (RFC 6455, section 5.2).
                    guard start.count > 1 else { return true }
                    dump = FrameDump(role: start[1] & 0x80 != 0 ? .server : .client)
                    dump?.feed(start.span, to: &lines)
                } else {
                    dump?.feed(bytes.span, to: &lines)
                }
                return true
            },
            finish: { lines in
                var last = dump ?? FrameDump(role: .server)
                if dump == nil { last.feed(start.span, to: &lines) }
                switch last.finish() {
                case .complete: return .complete
                case .malformed(let offset, let reason):
                    return .malformed("error at byte \(offset): \(reason)")
                case .incomplete(let offset): return .incomplete(at: UInt64(offset))
                }
            })
    }
}

/// From a capture to lines on standard output and a status.
enum Decoding {
    /// How a capture ends.
    enum Outcome {
        case complete
        case malformed(String)
        case incomplete(at: UInt64)
    }

    private static let incompleteStatus: Int32 = 3

    /// Feeds a file piece by piece, writing the lines of each piece at once.
    ///
    /// `feed` gives back false when nothing more can come of the rest.
    static func run(
        _ file: String?, feed: ([UInt8], inout [UInt8]) -> Bool,
        finish: (inout [UInt8]) -> Outcome
    ) -> Int32 {
        Host.endQuietlyWithoutReader()
        let input: CaptureFile
        do throws(HostError) {
            input = try CaptureFile(path: file == "-" ? nil : file)
        } catch {
            return fail("cannot open \(file ?? ""): \(error)")
        }
        var lines: [UInt8] = []
        do throws(HostError) {
            while let piece = try input.read() {
                let goesOn = feed(piece, &lines)
                guard write(&lines) else { return CommandLineEntry.Status.failure }
                if !goesOn { break }
            }
        } catch {
            return fail("cannot read \(file ?? "standard input"): \(error)")
        }
        let outcome = finish(&lines)
        guard write(&lines) else { return CommandLineEntry.Status.failure }
        switch outcome {
        case .complete: return CommandLineEntry.Status.success
        case .malformed(let reason):
            Host.writeToStandardError(reason + "\n")
            return CommandLineEntry.Status.failure
        case .incomplete(let offset):
            Host.writeToStandardError("incomplete at byte \(offset)\n")
            return incompleteStatus
        }
    }

    private static func write(_ lines: inout [UInt8]) -> Bool {
        do throws(HostError) {
            try Host.writeToStandardOutput(lines)
        } catch {
            _ = fail("cannot write standard output: \(error)")
            return false
        }
        lines.removeAll(keepingCapacity: true)
        return true
    }

    private static func fail(_ message: String) -> Int32 {
        Host.writeToStandardError("status2: \(message)\n")
        return CommandLineEntry.Status.failure
    }
}
