import Testing
import WSFrameProperties

@Suite("The fuzzers' seeds")
struct CorpusTests {
    /// The folder of a harness's seeds, found from this file's place.
    static func inputs(_ harness: String) -> [[UInt8]] {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return FuzzDriver.files(at: "/\(root)/Fuzz/\(harness)/corpus").compactMap {
            FuzzDriver.contents(of: $0)
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
