package import Fuzzing
import Relay
import Synchronization

/// The scanner of browser messages for any bytes, cheaply: no trap, nothing read outside the message,
/// and the same verdict with white space around it.
package enum BrowserMessages {
    private static let storage = Mutex<[UInt8]>([])

    /// Checks one input.
    package static func check(_ input: Span<UInt8>) throws(PropertyFailure) {
        let verdict = ClientMessage(input)
        let surrounded = storage.withLock { (buffer: inout sending [UInt8]) in
            buffer.removeAll(keepingCapacity: true)
            buffer.append(contentsOf: "\"{\\ \t\r\n".utf8)
            InputBytes.append(input, to: &buffer)
            buffer.append(contentsOf: "\n\r\t \"}".utf8)
            return ClientMessage(buffer.span.extracting(3..<buffer.count - 2))
        }
        try PropertyFailure.unless(
            verdict == surrounded, "\(verdict), with white space \(surrounded)")
    }
}
