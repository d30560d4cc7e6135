import Fuzzing
import Testing
import WSFrameProperties

/// Replays the fuzzers' seeds, and everything that they ever found.
@Suite("The fuzzers' seeds")
struct CorpusTests {
    @Test("hold the properties of frames")
    func frames() throws {
        let inputs = InputFiles.seeds("wsframe")
        #expect(inputs.count >= 20)
        for input in inputs {
            #expect(throws: Never.self, "\(input.name)") {
                try FrameStreams.check(input.bytes.span)
                try WrittenFrames.check(input.bytes.span)
                try TextBytes.check(input.bytes.span)
                try FrameDumps.check(input.bytes.span)
                try CloseScripts.check(input.bytes.span)
                try WebSocketProperties.check(input.bytes.span)
            }
        }
    }

    @Test("hold the properties of heads")
    func heads() throws {
        let inputs = InputFiles.seeds("http")
        #expect(inputs.count >= 16)
        for input in inputs {
            #expect(throws: Never.self, "\(input.name)") {
                try RequestHeads.check(input.bytes.span)
                try ResponseHeads.check(input.bytes.span)
                try WrittenHeads.check(input.bytes.span)
                try HTTPProperties.check(input.bytes.span)
            }
        }
    }
}
