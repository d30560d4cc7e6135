import Fuzzing
package import RESP

/// Everything that ``CommandParser`` makes of a stream, however the stream was cut.
package struct CommandOutcome: Equatable, Sendable {
    package var commands: [[[UInt8]]] = []
    package var ends: [UInt64] = []
    package var error: RESPError?

    package init(parsing bytes: [UInt8], cuts: [Int] = [], limits: RESPLimits = RESPLimits()) {
        var parser = CommandParser(limits: limits)
        var window = Window()
        var arguments: [Range<Int>] = []
        do throws(RESPError) {
            for cut in cuts + [bytes.count] {
                window.received = cut
                while true {
                    let shown = bytes.span.extracting(window.shown)
                    let step = try parser.next(
                        shown, from: window.offset, arguments: &arguments)
                    if step.event == .command {
                        commands.append(arguments.map { Array(bytes[window.inStream($0)]) })
                    }
                    window.consume(to: step.end, parser.streamOffset)
                    if step.event == .incomplete { break }
                    ends.append(parser.streamOffset)
                }
            }
        } catch {
            self.error = error
        }
    }
}

extension Properties {
    /// Commands do not depend on the cuts, and are read again as they are written.
    static func checkCommands(_ bytes: [UInt8], _ cuts: [[Int]]) throws(PropertyFailure) {
        let whole = CommandOutcome(parsing: bytes, limits: limits)
        for cuts in cuts {
            let outcome = CommandOutcome(parsing: bytes, cuts: cuts, limits: limits)
            try expect(outcome == whole, "commands depend on the cuts \(cuts)")
        }
        for command in whole.commands {
            var encoder = RESPEncoder()
            encoder.command(bytes: command)
            let again = CommandOutcome(parsing: encoder.bytes)
            try expect(again.commands == [command] && again.error == nil, "written command")
            try expect(again.ends == [UInt64(encoder.bytes.count)], "length of a command")
        }
    }
}
