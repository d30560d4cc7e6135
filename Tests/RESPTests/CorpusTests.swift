import Fuzzing
import RESPProperties
import Testing

/// Replays the seeds of the fuzz harnesses and everything that they ever found.
@Suite("Corpus")
struct CorpusTests {
    @Test("every property holds for every file")
    func corpus() throws {
        let inputs = InputFiles.seeds("resp")
        #expect(inputs.count >= 18, "the corpus is not where it should be")
        for input in inputs {
            #expect(throws: Never.self, "\(input.name)") {
                try ValueStreams.check(input.bytes.span)
                try PubSubStreams.check(input.bytes.span)
                try CommandStreams.check(input.bytes.span)
                try WrittenValues.check(input.bytes.span)
                try RenderedValues.check(input.bytes.span)
                try BuiltValues.check(input.bytes.span)
                try Properties.check(input.bytes.span)
            }
        }
    }
}
