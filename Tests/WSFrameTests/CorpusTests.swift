import Testing
import WSFrameProperties

@Suite("The fuzzers' seeds")
struct CorpusTests {
    /// A harness's seeds and whatever it found; the folders are found from this file's place.
    static func inputs(_ harness: String) -> [[UInt8]] {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return ["corpus", "crashes"].flatMap { folder in
            FuzzDriver.files(at: "/\(root)/Fuzz/\(harness)/\(folder)").compactMap {
                FuzzDriver.contents(of: $0)
            }
        }
    }

    @Test("hold the properties of frames")
    func frames() throws {
        let inputs = Self.inputs("wsframe")
        #expect(inputs.count >= 10)
        for input in inputs { try WebSocketProperties.check(input) }
    }

    @Test("hold the properties of heads")
    func heads() throws {
        let inputs = Self.inputs("http")
        #expect(inputs.count >= 8)
        for input in inputs { try HTTPProperties.check(input) }
    }
}
