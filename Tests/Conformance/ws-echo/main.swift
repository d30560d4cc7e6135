// A WebSocket echo for conformance tests: a server, or a client that runs a test server's cases.

import ArgumentParser
import Glibc
import Relay

struct WSEcho: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ws-echo", abstract: "Sends WebSocket messages back.")

    static let success: Int32 = 0
    static let failure: Int32 = 1
    static let usage: Int32 = 2

    @Option(help: ArgumentHelp("Echo for all who connect here.", valueName: "host:port"))
    var listen: String?
    @Option(
        help: ArgumentHelp(
            "Run every case of the Autobahn fuzzingserver that listens here.",
            valueName: "host:port"))
    var connect: String?
    @Option(help: ArgumentHelp("The name of the server's reports.", valueName: "name"))
    var agent = "ws-echo"
    @Option(help: ArgumentHelp("The longest message.", valueName: "bytes"))
    var maxMessageSize = 64 << 20

    /// Serves or runs the cases; the line of the error when that fails.
    func perform() -> String? {
        if let connect {
            return ListenAddress(text: connect).flatMap {
                EchoServer.runCases(of: $0, agent: agent, maxMessageSize: maxMessageSize)
            }
        }
        return listen.flatMap(ListenAddress.init(text:)).flatMap {
            EchoServer.run(listen: $0, maxMessageSize: maxMessageSize) { address in
                print(address)
                // Whoever started the server on any free port waits for the line.
                _ = fflush(nil)
            }
        }
    }

    func validate() throws {
        guard let address = listen ?? connect, listen == nil || connect == nil else {
            throw ValidationError("Give either --listen or --connect.")
        }
        guard ListenAddress(text: address) != nil else {
            throw ValidationError("'\(address)' is not host:port.")
        }
        guard (1...Int(UInt32.max)).contains(maxMessageSize) else {
            throw ValidationError("--max-message-size is not a size from 1 to \(UInt32.max).")
        }
        guard
            !agent.isEmpty,
            agent.utf8.allSatisfy({ byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte & 0xDF)
                    || "-_.".utf8.contains(byte)
            })
        else { throw ValidationError("--agent is not a name of letters, digits, '-', '_', '.'.") }
    }
}

func complain(_ message: String) {
    let line = Array("\(message)\n".utf8)
    _ = unsafe line.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

do {
    let arguments = try WSEcho.parse()
    if let failure = arguments.perform() {
        complain("ws-echo: \(failure)")
        exit(WSEcho.failure)
    }
} catch {
    let code = WSEcho.exitCode(for: error)
    if code == .success {
        print(WSEcho.fullMessage(for: error))
        exit(WSEcho.success)
    }
    complain(WSEcho.fullMessage(for: error))
    exit(code == .validationFailure ? WSEcho.usage : code.rawValue)
}
