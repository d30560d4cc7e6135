import Fuzzing
import Simulation
import Testing

/// Replays the scripts that the fuzzer of the whole relay began with, and all that it ever found.
@Suite("Scripts of the whole relay")
struct CorpusTests {
    @Test("hold what must hold")
    func corpus() throws {
        let inputs = InputFiles.seeds("relay")
        #expect(inputs.count >= 8)
        for input in inputs {
            #expect(throws: Never.self, "\(input.name)") {
                try RelayScript.check(input.bytes.span)
            }
        }
    }
}
