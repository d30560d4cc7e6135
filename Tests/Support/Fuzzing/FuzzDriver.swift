import Glibc

/// Runs a property under libFuzzer where the build has it, and else on the files it is given.
package enum FuzzDriver {
    /// What libFuzzer calls with each input.
    package typealias Body = @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt

    private typealias RunDriver =
        @convention(c) (
            UnsafeMutablePointer<CInt>,
            UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>, Body
        ) -> CInt

    /// Fuzzes or replays, and ends the process.
    package static func run(_ body: Body) -> Never {
        // The symbol is there in builds with `-sanitize=fuzzer` only.
        if let symbol = unsafe dlsym(nil, "LLVMFuzzerRunDriver") {
            let driver = unsafe unsafeBitCast(symbol, to: RunDriver.self)
            var count = CommandLine.argc
            var arguments = unsafe CommandLine.unsafeArgv
            exit(unsafe driver(&count, &arguments, body))
        }
        let inputs = CommandLine.arguments.dropFirst().flatMap { InputFiles.contents(of: $0) }
        for input in inputs {
            _ = unsafe input.bytes.withUnsafeBufferPointer {
                unsafe body($0.baseAddress, $0.count)
            }
        }
        print("\(inputs.count) inputs replayed")
        exit(inputs.isEmpty ? 2 : 0)
    }

    /// Checks a property on one input, which is lent and not copied, and stops the process where it
    /// does not hold.
    package static func check(
        _ data: UnsafePointer<UInt8>?, _ count: Int,
        _ property: (Span<UInt8>) throws(PropertyFailure) -> Void
    ) -> CInt {
        do {
            try property(unsafe UnsafeBufferPointer(start: data, count: count).span)
        } catch {
            fatalError(error.description)
        }
        return 0
    }
}
