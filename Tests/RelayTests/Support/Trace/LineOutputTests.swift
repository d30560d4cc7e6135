@testable import Relay
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// The file of a trace, which is bounded.
@Suite struct LineOutputTests {
    private static func withDirectory(_ body: (String) throws -> Void) throws {
        // mkdtemp wants six of this letter at the end.
        let letters = String(repeating: "X", count: 6)
        var template = Array("/tmp/status2-lines-\(letters)".utf8CString)
        let made = unsafe mkdtemp(&template)
        let directory = unsafe try #require(made.map { unsafe String(cString: $0) })
        defer {
            for name in ["trace", "trace.1"] { unsafe unlink("\(directory)/\(name)") }
            unsafe rmdir(directory)
        }
        try body(directory + "/trace")
    }

    private static func read(_ path: String) -> String? {
        let descriptor = unsafe open(path, O_RDONLY)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }

    @Test func aFullFileIsKeptOnceAndNoLineIsCut() throws {
        try Self.withDirectory { path in
            var output = try LineOutput.file(path: path, limit: 10)
            #expect(output.write(Array("1234\n5678\n".utf8)) == 0)
            #expect(Self.read(path) == "1234\n5678\n")
            #expect(output.write(Array("abcd\nefgh\nijkl\n".utf8)) == 0)
            #expect(Self.read(path + ".1") == "abcd\nefgh\n")
            #expect(Self.read(path) == "ijkl\n")
            let lost = output.write(Array("longer than the file\nmn\n".utf8))
            #expect(lost == 1)
            #expect(Self.read(path) == "mn\n")
        }
    }

    @Test func aFileThatIsThereIsKept() throws {
        try Self.withDirectory { path in
            do {
                var output = try LineOutput.file(path: path, limit: 10)
                _ = output.write(Array("old\n".utf8))
            }
            var output = try LineOutput.file(path: path, limit: 10)
            #expect(output.write(Array("new\n".utf8)) == 0)
            #expect(Self.read(path + ".1") == "old\n")
            #expect(Self.read(path) == "new\n")
        }
    }

    @Test func aDirectoryThatIsNotThereIsAnError() {
        #expect(throws: SystemError.noSuchFile) {
            _ = try LineOutput.file(path: "/nonexistent/trace", limit: 10)
        }
    }
}
