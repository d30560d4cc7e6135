/// A WebSocket echo on the daemon's own listener, event loop and codec, for conformance tests.
public enum EchoServer {
    /// Echoes the messages of every WebSocket, on any path, until SIGTERM or SIGINT.
    ///
    /// - Parameters:
    ///   - listen: where to listen; port 0 stands for any free one.
    ///   - maxMessageSize: the longest message in bytes; a longer one is refused with code 1009.
    ///   - announce: is handed the address once it is bound.
    /// - Returns: nil after a signal, else the one line that says why it could not go on.
    public static func run(
        listen: ListenAddress, maxMessageSize: Int, announce: (String) -> Void
    ) -> String? {
        do throws(SystemError) {
            var echo = EchoLoop(sys: try prepare(), maxMessageSize: maxMessageSize)
            announce("\(try echo.listen(listen))")
            return echo.run()
        } catch {
            return "cannot listen on \(listen): \(error.reason)"
        }
    }

    /// Runs every case of an Autobahn `fuzzingserver` as a client that echoes, and has it write its
    /// reports.
    ///
    /// - Parameters:
    ///   - address: where the server listens.
    ///   - agent: the name of the reports; letters, digits, `-`, `_` and `.` only.
    ///   - maxMessageSize: the longest message in bytes.
    /// - Returns: nil after a whole run or a signal, else the one line that says why there is none.
    public static func runCases(
        of address: ListenAddress, agent: String, maxMessageSize: Int
    ) -> String? {
        do throws(SystemError) {
            var echo = EchoLoop(sys: try prepare(), maxMessageSize: maxMessageSize)
            echo.cases = EchoCaseRun(address: try ListenSocket.address(of: address), agent: agent)
            echo.nextCase()
            return echo.run()
        } catch {
            return "cannot connect to \(address): \(error.reason)"
        }
    }

    private static func prepare() throws(SystemError) -> LinuxSys {
        HostProcess.ignoreBrokenPipes()
        _ = HostProcess.raiseDescriptorLimit()
        return try LinuxSys(signals: HostProcess.shutdownSignals)
    }
}

extension ListenAddress {
    /// Reads `host:port`, `:port`, `[v6]:port` or `unix:/path`; nil where the text is none of them.
    public init?(text: String) {
        do throws(InvalidValue) {
            try self.init(parsing: text)
        } catch {
            return nil
        }
    }
}
