@testable import Relay

/// The ``Sys`` of the simulated machine: every call goes to its ``World``.
struct SimulatedSys: Sys {
    let world: World
    /// Which of the daemon's event loops it is for.
    var loop = 0

    func now() -> BootTime { BootTime(nanoseconds: world.readClock()) }
    func unixTime() -> Int64 { world.readWall(of: loop) }
    mutating func random() -> UInt64 { world.daemonRandom.next() }

    mutating func listen(_ address: ListenAddress, token: Token) throws(SystemError)
        -> (Descriptor, SocketAddress)
    {
        guard case .tcp(_, let port) = address,
            let bound = SocketAddress(numeric: "127.0.0.1", port: port)
        else { throw .noSuchFile }
        return (world.listen(port: port, token: token), bound)
    }

    mutating func stopListening(_ listener: Descriptor) { world.stopListening(listener) }

    mutating func accept(_ listener: Descriptor) -> AcceptOutcome { world.accept(listener) }

    mutating func resolve(host: String, port: UInt16, token: Token) {
        world.acting = loop
        world.resolve(host: host, port: port, token: token)
    }

    mutating func dial(_ address: SocketAddress, keepAlive: KeepAlive?, token: Token)
        throws(SystemError) -> Descriptor
    {
        world.acting = loop
        return try world.dial(address, keepAlive: keepAlive, token: token)
    }

    mutating func dialError(_ descriptor: Descriptor) -> SystemError? {
        world.held(descriptor).dialError
    }

    mutating func watch(_ descriptor: Descriptor, token: Token, for interest: Interest) {
        world.acting = loop
        world.watch(descriptor, token: token, for: interest)
    }

    mutating func unwatch(_ descriptor: Descriptor) {
        world.acting = loop
        world.unwatch(descriptor)
    }

    mutating func rewatch(_ descriptor: Descriptor, token: Token, for interest: Interest) {
        world.acting = loop
        world.watch(descriptor, token: token, for: interest)
    }

    mutating func receive(_ descriptor: Descriptor, into buffer: inout [UInt8]) -> ReceiveOutcome {
        world.receive(descriptor, into: &buffer)
    }

    mutating func send(_ descriptor: Descriptor, _ queue: OutputQueue) -> SendOutcome {
        world.send(descriptor, queue)
    }

    mutating func shutdownSending(_ descriptor: Descriptor) { world.shutdownSending(descriptor) }

    mutating func close(_ descriptor: Descriptor, reset: Bool) {
        world.close(descriptor, reset: reset)
    }

    mutating func wait(until deadline: BootTime?, into events: inout [SysEvent]) -> WaitOutcome {
        world.acting = loop
        return world.wait(until: deadline, into: &events)
    }

    mutating func unusedMemory() -> Int { world.hand.unusedMemory }

    mutating func releaseMemory() { world.memoryReleases += 1 }
}
