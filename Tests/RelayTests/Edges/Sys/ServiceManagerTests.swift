import CLinux
import Glibc
import Testing

@testable import Relay

/// The real sockets between the daemon and a service manager.
@Suite struct ServiceManagerTests {
    /// A datagram socket as systemd has it.
    private static func receiver(at address: SocketAddress) -> Descriptor {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        let bound = unsafe address.withSockaddr { unsafe bind(descriptor, $0, $1) }
        #expect(bound == 0)
        return descriptor
    }

    private static func next(_ descriptor: Descriptor) -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe buffer.withUnsafeMutableBytes {
            unsafe recv(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
        }
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }

    private static func unused() -> String {
        "status2-test-\(getpid())-\(UInt64.random(in: 0...(.max)))"
    }

    @Test func aNoticeIsADatagramToAnAbstractName() throws {
        let name = Self.unused()
        let receiver = Self.receiver(at: try #require(SocketAddress(abstract: name)))
        defer { close(receiver) }
        let manager = try #require(ServiceManager(at: "@" + name))
        #expect(manager.tell(.ready("Serving")))
        #expect(Self.next(receiver) == "READY=1\nSTATUS=Serving")
    }

    @Test func aNoticeIsADatagramToAPath() throws {
        let path = "/tmp/" + Self.unused()
        let receiver = Self.receiver(at: try #require(SocketAddress(path: path)))
        defer {
            close(receiver)
            _ = unsafe unlink(path)
        }
        let manager = try #require(ServiceManager(at: path))
        #expect(manager.tell(.watchdog))
        #expect(Self.next(receiver) == "WATCHDOG=1")
        #expect(manager.tell(.reloading))
        #expect(Self.next(receiver).hasPrefix("RELOADING=1\nMONOTONIC_USEC="))
    }

    @Test func aManagerThatIsNotThereOrFullIsNotWaitedFor() throws {
        let name = Self.unused()
        let manager = try #require(ServiceManager(at: "@" + name))
        #expect(!manager.tell(.watchdog))
        let receiver = Self.receiver(at: try #require(SocketAddress(abstract: name)))
        defer { close(receiver) }
        // A Unix socket holds few datagrams; one that waited would never end here.
        let taken = (0..<10_000).prefix { _ in manager.tell(.watchdog) }
        #expect(!taken.isEmpty && taken.count < 10_000)
    }

    @Test(arguments: [
        "@", "", String(repeating: "a", count: 108), "@" + String(repeating: "a", count: 108),
    ])
    func whatIsNoAddressHasNoManager(name: String) {
        #expect(ServiceManager(at: name) == nil)
    }

    // MARK: - Sockets that are handed over

    @Test func anInheritedSocketTakesThePlaceOfTheAddress() throws {
        let inherited = try ListenSocket.open(
            #require(SocketAddress(numeric: "127.0.0.1", port: 0)), backlog: 8)
        defer { close(inherited) }
        let address = try #require(ListenSocket.localAddress(of: inherited))
        var sys = try LinuxSys(signals: [])
        sys.inheritedListener = inherited
        let (listener, bound) = try sys.listen(
            .tcp(host: "192.0.2.1", port: 80), token: Token(.listener))
        #expect(bound == address)
        // Its own descriptor: a second event loop takes another, and closing one closes no other.
        #expect(listener != inherited)
        sys.stopListening(listener)
        #expect(fcntl(inherited, F_GETFD) >= 0)
        // The broker's listener is none that is handed over.
        let (broker, other) = try sys.listen(
            .tcp(host: "127.0.0.1", port: 0), token: Token(.brokerListener))
        #expect(other != address)
        sys.stopListening(broker)
    }

    @Test func aDescriptorThatDoesNotListenIsRefused() throws {
        let plain = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let datagram = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        defer {
            close(plain)
            close(datagram)
        }
        for descriptor in [plain, datagram, 9_999] {
            #expect(throws: SystemError(code: EINVAL)) { try ListenSocket.adopt(descriptor) }
        }
    }
}
