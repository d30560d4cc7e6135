import RESPProperties
import Testing

/// Replays the seeds of the fuzz harness and everything that it ever found.
@Suite("Corpus")
struct CorpusTests {
    static let folder: String = {
        let path = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return "/\(path)/Fuzz/resp"
    }()

    @Test("every property holds for every file")
    func corpus() throws {
        let inputs = ["corpus", "crashes"].flatMap {
            InputFiles.contents(of: "\(Self.folder)/\($0)")
        }
        #expect(inputs.count >= 18, "the corpus is not where it should be")
        for input in inputs {
            #expect(throws: Never.self, "\(input.name)") { try Properties.check(input.bytes) }
        }
    }
}
