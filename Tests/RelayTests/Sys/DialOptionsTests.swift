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
        #expect(Self.option(tcp, TCP_KEEPIDLE, of: link) == 6)
        #expect(Self.option(tcp, TCP_KEEPINTVL, of: link) == 2)
        #expect(Self.option(tcp, TCP_USER_TIMEOUT, of: link) == 6_750)
        sys.close(link, reset: false)
        let plain = try sys.dial(address, keepAlive: nil, token: Token(.gate))
        #expect(Self.option(SOL_SOCKET, SO_KEEPALIVE, of: plain) == 0)
        sys.close(plain, reset: false)
        sys.close(listener, reset: false)
    }

    @Test(arguments: [
        (Nanoseconds.seconds(5), Nanoseconds.seconds(1), Nanoseconds.seconds(6)),
        (.milliseconds(20), .milliseconds(50), .seconds(1)),
        (.seconds(5), .zero, .seconds(35)),
        (.max, .max, .max),
    ])
    func aDeadConnectionIsGivenUpWithinIntervalAndTimeout(
        pingInterval: Nanoseconds, requestTimeout: Nanoseconds, limit: Nanoseconds
    ) {
        let keepAlive = KeepAlive(pingInterval: pingInterval, requestTimeout: requestTimeout)
        #expect(keepAlive.limit == limit)
        #expect(keepAlive.idle >= .seconds(1) && keepAlive.interval >= .seconds(1))
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
        #expect(Self.option(tcp, TCP_USER_TIMEOUT, of: link) == Int32.max)
        sys.close(link, reset: false)
        sys.close(listener, reset: false)
    }
}
