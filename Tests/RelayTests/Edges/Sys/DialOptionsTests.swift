import Glibc
@testable import Relay
import Testing

/// What the kernel is told about a connection to Redis.
@Suite struct DialOptionsTests {
    private static func option(_ level: Int32, _ name: Int32, of descriptor: Int32) -> Int32 {
        var value: Int32 = -1
        var length = socklen_t(MemoryLayout<Int32>.size)
        _ = unsafe getsockopt(descriptor, level, name, &value, &length)
        return value
    }

    @Test func theKernelWatchesOverADialedConnection() throws {
        var sys = try LinuxSys(signals: [])
        let (listener, address) = try sys.listen(
            .tcp(host: "127.0.0.1", port: 0), token: Token(.listener))
        let keepAlive = KeepAlive(
            pingInterval: .milliseconds(5_500), requestTimeout: .milliseconds(1_250))
        let link = try sys.dial(address, keepAlive: keepAlive, token: Token(.gate))
        let tcp = Int32(IPPROTO_TCP)
        #expect(Self.option(SOL_SOCKET, SO_KEEPALIVE, of: link) == 1)
        #expect(Self.option(tcp, TCP_KEEPIDLE, of: link) == 8)
        #expect(Self.option(tcp, TCP_KEEPINTVL, of: link) == 2)
        #expect(Self.option(tcp, TCP_USER_TIMEOUT, of: link) == 16_000)
        sys.close(link, reset: false)
        let plain = try sys.dial(address, keepAlive: nil, token: Token(.gate))
        #expect(Self.option(SOL_SOCKET, SO_KEEPALIVE, of: plain) == 0)
        sys.close(plain, reset: false)
        sys.close(listener, reset: false)
    }

    /// The least and the most that can be set, what is set by default, and what lies between.
    private static let spans: [Nanoseconds] = [
        .zero, Nanoseconds(1), .milliseconds(1), .milliseconds(999), .seconds(1),
        .milliseconds(1_001), .seconds(5), .milliseconds(59_999), .seconds(600),
        .seconds(32_766), .seconds(32_767), .seconds(40_000), .max,
    ]

    @Test(arguments: spans.dropFirst(), spans)
    func ourPingComesBeforeTheKernelsProbeAndThreeLostProbesEndNothing(
        pingInterval: Nanoseconds, requestTimeout: Nanoseconds
    ) {
        let keepAlive = KeepAlive(pingInterval: pingInterval, requestTimeout: requestTimeout)
        for span in [keepAlive.idle, keepAlive.interval] {
            #expect(span >= .seconds(1) && span <= KeepAlive.longest)
            #expect(span.count % Nanoseconds.seconds(1).count == 0)
        }
        // As the kernel counts: probes go out at idle, idle + interval and so on, and each looks
        // whether the limit has passed.
        let fourthLook = keepAlive.idle + keepAlive.interval * 3
        #expect(keepAlive.limit > fourthLook)
        #expect(keepAlive.limit.milliseconds <= Int64(Int32.max))
        let asked = pingInterval + requestTimeout
        #expect(keepAlive.idle > asked || keepAlive.idle == KeepAlive.longest)
    }

    @Test func byDefaultADeadMachineIsFoundWithinElevenSeconds() {
        let keepAlive = KeepAlive(Settings())
        #expect(keepAlive.idle == .seconds(7))
        #expect(keepAlive.limit == .seconds(11))
    }

    @Test func spansBeyondWhatTheKernelTakesAreCutOff() throws {
        var sys = try LinuxSys(signals: [])
        let (listener, address) = try sys.listen(
            .tcp(host: "127.0.0.1", port: 0), token: Token(.listener))
        let keepAlive = KeepAlive(pingInterval: .max, requestTimeout: .max)
        let link = try sys.dial(address, keepAlive: keepAlive, token: Token(.gate))
        let tcp = Int32(IPPROTO_TCP)
        #expect(Self.option(tcp, TCP_KEEPIDLE, of: link) == 32_767)
        #expect(Self.option(tcp, TCP_KEEPINTVL, of: link) == 32_767)
        #expect(Self.option(tcp, TCP_USER_TIMEOUT, of: link) == 163_835_000)
        sys.close(link, reset: false)
        sys.close(listener, reset: false)
    }
}
