import Glibc

/// Runs a property under libFuzzer where the build has it, and else on the files it is given.
public enum FuzzDriver {
    /// What libFuzzer calls with each input.
    public typealias Body = @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt

    private typealias RunDriver =
        @convention(c) (
            UnsafeMutablePointer<CInt>,
            UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>, Body
        ) -> CInt

    /// Fuzzes or replays, and ends the process.
    public static func run(_ body: Body) -> Never {
        // The symbol is there in builds with `-sanitize=fuzzer` only.
        if let symbol = unsafe dlsym(nil, "LLVMFuzzerRunDriver") {
            let driver = unsafe unsafeBitCast(symbol, to: RunDriver.self)
            var count = CommandLine.argc
            var arguments = unsafe CommandLine.unsafeArgv
            exit(unsafe driver(&count, &arguments, body))
        }
        var count = 0
        for file in CommandLine.arguments.dropFirst().flatMap({ files(at: $0) }) {
            let bytes = contents(of: file) ?? []
            _ = unsafe bytes.withUnsafeBufferPointer { unsafe body($0.baseAddress, $0.count) }
            count += 1
        }
        print("\(count) inputs replayed")
        exit(count > 0 ? 0 : 2)
    }

    /// Checks a property on one input, and stops the process where it does not hold.
    public static func check(
        _ data: UnsafePointer<UInt8>?, _ count: Int,
        _ property: ([UInt8]) throws(PropertyFailure) -> Void
    ) -> CInt {
        let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: count))
        do {
            try property(bytes)
        } catch {
            fatalError(error.description)
        }
        return 0
    }

    /// The path itself, or the files of a folder, sorted.
    public static func files(at path: String) -> [String] {
        guard let folder = unsafe opendir(path) else { return [path] }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafePointer(to: entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted().map { path + "/" + $0 }
    }

    /// A file's bytes; nil when it cannot be read.
    public static func contents(of path: String) -> [UInt8]? {
        guard let file = unsafe fopen(path, "rb") else { return nil }
        defer { unsafe fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe fread(&chunk, 1, chunk.count, file)
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
        }
    }
}
