// Holds the RESP module against `Properties`: under libFuzzer where the build has it, and otherwise
// once for each of the files and folders that are given.

import Glibc
import RESPProperties

typealias Test = @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
typealias Arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
typealias Driver =
    @convention(c) (UnsafeMutablePointer<CInt>, UnsafeMutablePointer<Arguments>, Test) -> CInt

func check(_ bytes: [UInt8]) {
    do { try Properties.check(bytes) } catch { fatalError("\(error)") }
}

if let symbol = unsafe dlsym(nil, "LLVMFuzzerRunDriver") {
    var count = CommandLine.argc
    var arguments = unsafe CommandLine.unsafeArgv
    let driver = unsafe unsafeBitCast(symbol, to: Driver.self)
    exit(
        unsafe driver(&count, &arguments) { data, size in
            check(unsafe Array(UnsafeBufferPointer(start: data, count: size)))
            return 0
        })
}
let inputs = CommandLine.arguments.dropFirst().flatMap { InputFiles.contents(of: $0) }
for input in inputs { check(input.bytes) }
print("\(inputs.count) inputs: every property holds")
