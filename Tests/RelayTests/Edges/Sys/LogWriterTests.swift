import Glibc
@testable import Relay
import Testing

/// The thread that writes the log: the first line at once, those of a burst together, none lost.
@Suite struct LogWriterTests {
    /// A writer into a pipe, and the pipe's other end.
    private static func make() throws -> (writer: LogWriter, reader: Int32) {
        var ends: [Int32] = [0, 0]
        let result = unsafe pipe(&ends)
        try #require(result == 0)
        return (try LogWriter(output: LineOutput(descriptor: ends[1])), ends[0])
    }

    /// What has come, after waiting for it for ten seconds at most.
    private static func read(_ reader: Int32, atLeast least: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count < least {
            var waiting = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&waiting, 1, 10_000) > 0 else { return bytes }
            let count = unsafe Glibc.read(reader, &buffer, buffer.count)
            guard count > 0 else { return bytes }
            bytes += buffer[..<count]
        }
        return bytes
    }

    private static func line(_ number: Int) -> [UInt8] { Array("\(number)\n".utf8) }

    @Test func aLineIsWrittenWithoutAnother() throws {
        let (writer, reader) = try Self.make()
        for number in 0..<3 {
            writer.write(Self.line(number))
            #expect(Self.read(reader, atLeast: 1) == Self.line(number))
        }
    }

    @Test func aBurstIsWrittenWholeAndInOrder() throws {
        let (writer, reader) = try Self.make()
        let lines = (0..<10_000).map(Self.line)
        for line in lines { writer.write(line) }
        let expected = Array(lines.joined())
        #expect(Self.read(reader, atLeast: expected.count) == expected)
        #expect(writer.dropped == 0)
    }

    @Test func whatIsDrainedIsWritten() throws {
        let (writer, reader) = try Self.make()
        for number in 0..<100 {
            writer.write(Self.line(number))
            writer.write(Self.line(number))
            writer.drain(atMost: .seconds(10))
            var pending: Int32 = 0
            _ = unsafe ioctl(reader, UInt(FIONREAD), &pending)
            #expect(Int(pending) == 2 * Self.line(number).count)
            _ = Self.read(reader, atLeast: Int(pending))
        }
    }

    @Test func halfOfWhatMayWaitIsAReasonToWakeTheThread() {
        var queue = LineQueue(capacity: 100)
        _ = queue.append(Array(repeating: 0, count: 49))
        #expect(!queue.isHalfFull)
        _ = queue.append([0])
        #expect(queue.isHalfFull)
        _ = queue.takeAll()
        #expect(!queue.isHalfFull)
    }
}
